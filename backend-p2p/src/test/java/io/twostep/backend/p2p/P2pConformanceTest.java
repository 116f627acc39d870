package io.twostep.backend.p2p;

import static io.twostep.tck.Behavior.BOUNCES;
import static io.twostep.tck.Behavior.COPIES_TOGETHER;
import static io.twostep.tck.Behavior.CHANGES_PERMISSION;
import static io.twostep.tck.Behavior.IN_PLACE;
import static io.twostep.tck.Behavior.LAZY;
import static io.twostep.tck.Behavior.REACHES_PEERS_ON_THE_BUS;
import static io.twostep.tck.Behavior.REACHES_PEERS_THROUGH_THE_HOST;
import static io.twostep.tck.Behavior.SERVES_NON_COHERENT;
import static io.twostep.tck.Behavior.SERVES_UNTRUSTED;
import static io.twostep.tck.Behavior.SPARSE_WINDOWS;
import static io.twostep.tck.Behavior.SPLITS_LINKS;
import static io.twostep.tck.Behavior.STAGES_FOREIGN_MEMORY;
import static io.twostep.tck.Behavior.TRACKS_WRITES;
import static io.twostep.tck.Behavior.TRANSLATES;
import static io.twostep.tck.Behavior.WRITE_ONLY;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.IommuBackendPlugin;
import io.twostep.backend.swiotlb.SwiotlbBackendPlugin;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.Behavior;
import io.twostep.tck.LayerBackendTck;
import io.twostep.tck.TckPart;
import io.twostep.tck.TckSetup;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Nested;

/** The peer layer in every place: it must change nothing of what lies below, and reach what the tree of the machine lets it reach. */
class P2pConformanceTest {
  private static final String TREE =
      "host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=01; root-port 00:02.0 bus=02; root-port 00:03.0 bus=03; root-port 00:04.0 bus=04;"
          + " root-port 00:05.0 bus=05; root-port 00:06.0 bus=06; root-port 00:07.0 bus=07; root-port 00:08.0 bus=08";

  /** The device is on bus 3, and what provides memory on bus 4, below the same switch. */
  private static final String SWITCH =
      "host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=01-1f; upstream-port 01:00.0 bus=02-1f; downstream-port 02:00.0 bus=03;"
          + " downstream-port 02:01.0 bus=04; downstream-port 02:02.0 bus=05; downstream-port 02:03.0 bus=06; downstream-port 02:04.0 bus=07";

  private abstract static class Stack extends LayerBackendTck {
    private final TckSetup setup;
    private final List<TckPart> below;
    private final Set<Behavior> behaviors;

    Stack(TckSetup setup, List<TckPart> below, Set<Behavior> behaviors) {
      boolean switched = behaviors.contains(REACHES_PEERS_ON_THE_BUS);
      this.setup = setup.withMachineSetting("tree", switched ? SWITCH : TREE).onBus(switched ? 3 : 1);
      this.below = below;
      this.behaviors = behaviors;
    }

    @Override
    public BackendPlugin plugin() {
      return new P2pBackendPlugin();
    }

    @Override
    public List<TckPart> below() {
      return below;
    }

    @Override
    public TckSetup setup() {
      return setup;
    }

    @Override
    public Set<Behavior> behaviors() {
      return behaviors;
    }
  }

  @Nested
  class AboveDirect extends Stack {
    AboveDirect() {
      super(TckSetup.untranslated(), List.of(TckPart.of(new DirectBackendPlugin())), EnumSet.of(SPARSE_WINDOWS, IN_PLACE, SERVES_NON_COHERENT, REACHES_PEERS_THROUGH_THE_HOST));
    }
  }

  @Nested
  class AboveLazyIommu extends Stack {
    AboveLazyIommu() {
      super(
          TckSetup.translated(),
          List.of(TckPart.of(new IommuBackendPlugin()).with("flush", "lazy")),
          EnumSet.of(
              TRANSLATES,
              WRITE_ONLY,
              SPARSE_WINDOWS,
              CHANGES_PERMISSION,
              SPLITS_LINKS,
              IN_PLACE,
              LAZY,
              SERVES_UNTRUSTED,
              SERVES_NON_COHERENT,
              REACHES_PEERS_THROUGH_THE_HOST));
    }
  }

  @Nested
  class AboveAnIommuThatAHostManages extends Stack {
    AboveAnIommuThatAHostManages() {
      super(
          TckSetup.translated().byHost(),
          List.of(TckPart.of(new IommuBackendPlugin())),
          EnumSet.of(TRANSLATES, WRITE_ONLY, SPARSE_WINDOWS, IN_PLACE, SERVES_UNTRUSTED, REACHES_PEERS_THROUGH_THE_HOST));
    }
  }

  @Nested
  class AboveTheBounceLayerOfAnUntrustedDevice extends Stack {
    AboveTheBounceLayerOfAnUntrustedDevice() {
      super(
          TckSetup.translated().withDevice(SlotOptions.DEFAULT.withTrusted(false)),
          List.of(
              TckPart.of(new SwiotlbBackendPlugin()).with("size", "4M").with("max-size", "16M").with("areas", "2"), TckPart.of(new IommuBackendPlugin())),
          EnumSet.of(
              TRANSLATES,
              WRITE_ONLY,
              SPARSE_WINDOWS,
              CHANGES_PERMISSION,
              SPLITS_LINKS,
              BOUNCES,
              STAGES_FOREIGN_MEMORY,
              COPIES_TOGETHER,
              SERVES_UNTRUSTED,
              TRACKS_WRITES,
              SERVES_NON_COHERENT,
              REACHES_PEERS_THROUGH_THE_HOST));
    }
  }

  @Nested
  class BelowASwitchAboveDirect extends Stack {
    BelowASwitchAboveDirect() {
      super(
          TckSetup.untranslated(),
          List.of(TckPart.of(new DirectBackendPlugin())),
          EnumSet.of(SPARSE_WINDOWS, IN_PLACE, SERVES_NON_COHERENT, REACHES_PEERS_ON_THE_BUS));
    }
  }

  @Nested
  class BelowASwitchAboveIommu extends Stack {
    BelowASwitchAboveIommu() {
      super(
          TckSetup.translated(),
          List.of(TckPart.of(new IommuBackendPlugin())),
          EnumSet.of(
              TRANSLATES,
              WRITE_ONLY,
              SPARSE_WINDOWS,
              CHANGES_PERMISSION,
              SPLITS_LINKS,
              IN_PLACE,
              SERVES_UNTRUSTED,
              SERVES_NON_COHERENT,
              REACHES_PEERS_ON_THE_BUS));
    }
  }
}
