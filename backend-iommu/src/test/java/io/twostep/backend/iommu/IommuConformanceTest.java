package io.twostep.backend.iommu;

import static io.twostep.tck.Behavior.CHANGES_PERMISSION;
import static io.twostep.tck.Behavior.IN_PLACE;
import static io.twostep.tck.Behavior.LAZY;
import static io.twostep.tck.Behavior.SERVES_NON_COHERENT;
import static io.twostep.tck.Behavior.SERVES_UNTRUSTED;
import static io.twostep.tck.Behavior.SPARSE_WINDOWS;
import static io.twostep.tck.Behavior.SPLITS_LINKS;
import static io.twostep.tck.Behavior.TRACKS_WRITES;
import static io.twostep.tck.Behavior.TRANSLATES;
import static io.twostep.tck.Behavior.WRITE_ONLY;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.tck.Behavior;
import io.twostep.tck.TckSetup;
import io.twostep.tck.TerminalBackendTck;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Nested;

/** The IOMMU terminal in every world it serves: formats, granules, flush policies, trust, coherence, and a host that keeps the tables. */
class IommuConformanceTest {
  private abstract static class Stack extends TerminalBackendTck {
    private final TckSetup setup;
    private final Map<String, String> settings;

    Stack(TckSetup setup, Map<String, String> settings) {
      this.setup = setup;
      this.settings = settings;
    }

    @Override
    public BackendPlugin plugin() {
      return new IommuBackendPlugin();
    }

    @Override
    public TckSetup setup() {
      return setup;
    }

    @Override
    public Map<String, String> settings() {
      return settings;
    }

    @Override
    public Set<Behavior> behaviors() {
      EnumSet<Behavior> offered =
          EnumSet.of(
              TRANSLATES, WRITE_ONLY, SPARSE_WINDOWS, CHANGES_PERMISSION, IN_PLACE, SERVES_UNTRUSTED, SERVES_NON_COHERENT);
      if ("vtd".equals(setup.machineSettings().get("formats"))) {
        // The other format joins granules of one link into larger leaves.
        offered.add(SPLITS_LINKS);
      }
      offered.add(TRACKS_WRITES);
      if ("lazy".equals(settings.get("flush"))) {
        offered.add(LAZY);
      }
      return offered;
    }
  }

  private static TckSetup format(String name, int bits) {
    TckSetup setup = TckSetup.translated().withMachineSetting("formats", name).withMachineSetting("address-bits", Integer.toString(bits));
    return setup.withDevice(setup.device().withAddressBits(bits));
  }

  @Nested
  class VtdStrict extends Stack {
    VtdStrict() {
      super(format("vtd", 48), Map.of());
    }
  }

  @Nested
  class VtdLazyThreeLevels extends Stack {
    VtdLazyThreeLevels() {
      super(format("vtd", 39), Map.of("flush", "lazy"));
    }
  }

  @Nested
  class Vtd64K extends Stack {
    Vtd64K() {
      super(format("vtd", 57), Map.of("granule", "64K"));
    }
  }

  @Nested
  class AmdStrict extends Stack {
    AmdStrict() {
      super(format("amd", 48), Map.of());
    }
  }

  @Nested
  class AmdLazy16K extends Stack {
    AmdLazy16K() {
      super(format("amd", 48), Map.of("granule", "16K", "flush", "lazy"));
    }
  }

  @Nested
  class Amd64KAllBits extends Stack {
    Amd64KAllBits() {
      super(format("amd", 64), Map.of("granule", "64K", "iova-32bit-first", "false"));
    }
  }

  @Nested
  class Untrusted extends Stack {
    Untrusted() {
      super(format("vtd", 48).withDevice(TckSetup.translated().device().withTrusted(false)), Map.of());
    }

    @Override
    public long edge() {
      return 4096;
    }
  }

  @Nested
  class NotSnooping extends Stack {
    NotSnooping() {
      super(format("amd", 48).withDevice(TckSetup.translated().device().withCoherent(false)), Map.of());
    }

    @Override
    public long edge() {
      return 64;
    }
  }

  @Nested
  class HostManaged extends Stack {
    HostManaged() {
      super(TckSetup.translated().byHost(), Map.of());
    }

    @Override
    public Set<Behavior> behaviors() {
      return EnumSet.of(TRANSLATES, WRITE_ONLY, SPARSE_WINDOWS, IN_PLACE, SERVES_UNTRUSTED);
    }
  }

  @Nested
  class HostManagedInGranulesOf16KiB extends HostManaged {
    @Override
    public TckSetup setup() {
      return super.setup().byHost(16384);
    }
  }
}
