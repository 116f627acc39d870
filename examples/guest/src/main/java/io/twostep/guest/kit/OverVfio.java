package io.twostep.guest.kit;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.IommuBackendPlugin;
import io.twostep.backend.swiotlb.SwiotlbBackendPlugin;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.tck.Behavior;
import io.twostep.tck.LayerBackendTck;
import io.twostep.tck.TckPart;
import io.twostep.tck.TckSetup;
import io.twostep.tck.TerminalBackendTck;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The stacks that are proved here; JUnit makes them. */
final class OverVfio {
  private static final TckSetup TRANSLATED = TckSetup.translated().withMachine(KitMachinePlugin.NAME).byHost();
  private static final TckSetup REGISTERED =
      TckSetup.untranslated().withMachine(KitMachinePlugin.NAME).withMachineSetting(KitMachinePlugin.ADDRESSING, "registered");

  private OverVfio() {}

  /** The kernel maps what requests link. Its driver for VT-d lets devices read what they may write. */
  static final class Iommu extends TerminalBackendTck {
    @Override
    public BackendPlugin plugin() {
      return new IommuBackendPlugin();
    }

    @Override
    public TckSetup setup() {
      return TRANSLATED;
    }

    @Override
    public Set<Behavior> behaviors() {
      return EnumSet.of(Behavior.TRANSLATES, Behavior.SPARSE_WINDOWS, Behavior.IN_PLACE, Behavior.SERVES_UNTRUSTED);
    }
  }

  /** All memory was mapped when the group was opened. */
  static final class Direct extends TerminalBackendTck {
    @Override
    public BackendPlugin plugin() {
      return new DirectBackendPlugin();
    }

    @Override
    public TckSetup setup() {
      return REGISTERED;
    }

    @Override
    public Set<Behavior> behaviors() {
      return EnumSet.of(Behavior.IN_PLACE, Behavior.SPARSE_WINDOWS, Behavior.SERVES_NON_COHERENT);
    }
  }

  /** An untrusted device gets whole granules and nothing else of anybody's memory, and zeros where it may only write. */
  static final class Untrusted extends LayerBackendTck {
    @Override
    public BackendPlugin plugin() {
      return new SwiotlbBackendPlugin();
    }

    @Override
    public Map<String, String> settings() {
      return Map.of("size", "4M", "max-size", "16M", "areas", "2");
    }

    @Override
    public List<TckPart> below() {
      return List.of(TckPart.of(new IommuBackendPlugin()));
    }

    @Override
    public TckSetup setup() {
      return TRANSLATED.withDevice(TRANSLATED.device().withTrusted(false));
    }

    @Override
    public Set<Behavior> behaviors() {
      return EnumSet.of(
          Behavior.TRANSLATES,
          Behavior.SHOWS_WRITERS_ZEROS,
          Behavior.SPARSE_WINDOWS,
          Behavior.BOUNCES,
          Behavior.STAGES_FOREIGN_MEMORY,
          Behavior.COPIES_TOGETHER,
          Behavior.SERVES_UNTRUSTED);
    }
  }

  /** Everything goes through slots of a registered pool. */
  static final class Swiotlb extends LayerBackendTck {
    @Override
    public BackendPlugin plugin() {
      return new SwiotlbBackendPlugin();
    }

    @Override
    public Map<String, String> settings() {
      return Map.of("size", "4M", "max-size", "16M", "areas", "2", "force", "true");
    }

    @Override
    public List<TckPart> below() {
      return List.of(TckPart.of(new DirectBackendPlugin()));
    }

    @Override
    public TckSetup setup() {
      return REGISTERED;
    }

    @Override
    public Set<Behavior> behaviors() {
      return EnumSet.of(Behavior.BOUNCES, Behavior.STAGES_FOREIGN_MEMORY, Behavior.COPIES_TOGETHER, Behavior.SERVES_NON_COHERENT);
    }
  }
}
