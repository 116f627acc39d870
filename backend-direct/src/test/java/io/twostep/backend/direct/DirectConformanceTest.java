package io.twostep.backend.direct;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.tck.Behavior;
import io.twostep.tck.TckSetup;
import io.twostep.tck.TerminalBackendTck;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Nested;

/** The direct terminal in every world it serves. */
class DirectConformanceTest {
  private abstract static class Direct extends TerminalBackendTck {
    @Override
    public BackendPlugin plugin() {
      return new DirectBackendPlugin();
    }

    @Override
    public Set<Behavior> behaviors() {
      return EnumSet.of(Behavior.IN_PLACE, Behavior.SPARSE_WINDOWS, Behavior.SERVES_NON_COHERENT);
    }
  }

  @Nested
  class SameAddresses extends Direct {
    @Override
    public TckSetup setup() {
      return TckSetup.untranslated();
    }
  }

  @Nested
  class OffsetWindows extends Direct {
    @Override
    public TckSetup setup() {
      return TckSetup.untranslated().withMachineSetting("inbound", "0x0:0x100000000:0x200000000");
    }
  }

  @Nested
  class NotSnooping extends Direct {
    @Override
    public TckSetup setup() {
      return nonCoherentOf(TckSetup.untranslated());
    }

    @Override
    public Set<Behavior> behaviors() {
      return EnumSet.of(Behavior.IN_PLACE, Behavior.SERVES_NON_COHERENT);
    }

    @Override
    public long edge() {
      return 64;
    }
  }

  private static TckSetup nonCoherentOf(TckSetup setup) {
    return setup.withDevice(setup.device().withCoherent(false));
  }
}
