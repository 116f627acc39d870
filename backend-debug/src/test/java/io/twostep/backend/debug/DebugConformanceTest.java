package io.twostep.backend.debug;

import static io.twostep.tck.Behavior.BOUNCES;
import static io.twostep.tck.Behavior.COPIES_TOGETHER;
import static io.twostep.tck.Behavior.CHANGES_PERMISSION;
import static io.twostep.tck.Behavior.IN_PLACE;
import static io.twostep.tck.Behavior.MAKES_GARBAGE;
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
import io.twostep.tck.Behavior;
import io.twostep.tck.LayerBackendTck;
import io.twostep.tck.TckPart;
import io.twostep.tck.TckSetup;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Nested;

/** The checker above what it checks: nothing may be different but what it knows. */
class DebugConformanceTest {
  private abstract static class Stack extends LayerBackendTck {
    private final TckSetup setup;
    private final List<TckPart> below;
    private final Set<Behavior> behaviors;

    Stack(TckSetup setup, List<TckPart> below, Behavior first, Behavior... others) {
      this.setup = setup;
      this.below = below;
      behaviors = EnumSet.of(first, others);
    }

    @Override
    public BackendPlugin plugin() {
      return new DebugBackendPlugin();
    }

    /** Reports are the subject of other tests, and the kit's refused calls make many. */
    @Override
    public Map<String, String> settings() {
      return Map.of("on-error", "count", "traces", "false");
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
  class OverDirect extends Stack {
    OverDirect() {
      super(TckSetup.untranslated(), List.of(TckPart.of(new DirectBackendPlugin())), IN_PLACE, SPARSE_WINDOWS, SERVES_NON_COHERENT, MAKES_GARBAGE);
    }
  }

  @Nested
  class OverIommu extends Stack {
    OverIommu() {
      super(
          TckSetup.translated().withMachineSetting("formats", "vtd"),
          List.of(TckPart.of(new IommuBackendPlugin())),
          TRANSLATES,
          WRITE_ONLY,
          SPARSE_WINDOWS,
          CHANGES_PERMISSION,
          SPLITS_LINKS,
          IN_PLACE,
          SERVES_UNTRUSTED,
          TRACKS_WRITES,
          SERVES_NON_COHERENT,
          MAKES_GARBAGE);
    }
  }

  @Nested
  class OverBounceOverIommu extends Stack {
    OverBounceOverIommu() {
      super(
          TckSetup.translated().withMachineSetting("formats", "vtd").withDevice(TckSetup.translated().device().withTrusted(false)),
          List.of(
              new TckPart(new SwiotlbBackendPlugin(), Map.of("size", "4M", "max-size", "16M", "areas", "2")), TckPart.of(new IommuBackendPlugin())),
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
          MAKES_GARBAGE);
    }
  }

  /** Without checks what is left is to cost no garbage. */
  @Nested
  class MeasuringOnly extends Stack {
    MeasuringOnly() {
      super(
          TckSetup.translated().withMachineSetting("formats", "vtd"),
          List.of(TckPart.of(new IommuBackendPlugin())),
          TRANSLATES,
          WRITE_ONLY,
          SPARSE_WINDOWS,
          CHANGES_PERMISSION,
          SPLITS_LINKS,
          IN_PLACE,
          SERVES_UNTRUSTED,
          TRACKS_WRITES,
          SERVES_NON_COHERENT);
    }

    @Override
    public Map<String, String> settings() {
      return Map.of("checks", "false");
    }
  }
}
