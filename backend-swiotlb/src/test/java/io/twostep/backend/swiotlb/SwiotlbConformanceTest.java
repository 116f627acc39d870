package io.twostep.backend.swiotlb;

import static io.twostep.tck.Behavior.BOUNCES;
import static io.twostep.tck.Behavior.COPIES_TOGETHER;
import static io.twostep.tck.Behavior.CHANGES_PERMISSION;
import static io.twostep.tck.Behavior.IN_PLACE;
import static io.twostep.tck.Behavior.LAZY;
import static io.twostep.tck.Behavior.SERVES_NON_COHERENT;
import static io.twostep.tck.Behavior.SERVES_UNTRUSTED;
import static io.twostep.tck.Behavior.SHOWS_WRITERS_ZEROS;
import static io.twostep.tck.Behavior.SPARSE_WINDOWS;
import static io.twostep.tck.Behavior.SPLITS_LINKS;
import static io.twostep.tck.Behavior.STAGES_FOREIGN_MEMORY;
import static io.twostep.tck.Behavior.TRACKS_WRITES;
import static io.twostep.tck.Behavior.TRANSLATES;
import static io.twostep.tck.Behavior.WRITE_ONLY;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.IommuBackendPlugin;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.tck.Behavior;
import io.twostep.tck.LayerBackendTck;
import io.twostep.tck.TckPart;
import io.twostep.tck.TckSetup;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Nested;

/** The bounce layer above both terminals, for every kind of device that needs it and some that do not. */
class SwiotlbConformanceTest {
  private abstract static class Stack extends LayerBackendTck {
    private final TckSetup setup;
    private final TckPart terminal;
    private final Map<String, String> settings = new HashMap<>(Map.of("size", "4M", "max-size", "16M", "areas", "2"));
    private final Set<Behavior> behaviors;

    Stack(TckSetup setup, TckPart terminal, Map<String, String> settings, Behavior first, Behavior... others) {
      this.setup = setup;
      this.terminal = terminal;
      this.settings.putAll(settings);
      behaviors = EnumSet.of(first, others);
    }

    @Override
    public BackendPlugin plugin() {
      return new SwiotlbBackendPlugin();
    }

    @Override
    public List<TckPart> below() {
      return List.of(terminal);
    }

    @Override
    public Map<String, String> settings() {
      return settings;
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

  private static TckSetup behind(String format, SlotOptions device) {
    return TckSetup.translated().withMachineSetting("formats", format).withDevice(device);
  }

  private static TckPart iommu() {
    return TckPart.of(new IommuBackendPlugin());
  }

  private static TckPart direct() {
    return TckPart.of(new DirectBackendPlugin());
  }

  @Nested
  class ForcedDirect extends Stack {
    ForcedDirect() {
      super(TckSetup.untranslated(), direct(), Map.of("force", "true"), BOUNCES, STAGES_FOREIGN_MEMORY, COPIES_TOGETHER, SERVES_NON_COHERENT);
    }
  }

  @Nested
  class MaskedDirect extends Stack {
    MaskedDirect() {
      super(TckSetup.untranslated().withLimits(DeviceLimits.ofBits(24)), direct(), Map.of(), BOUNCES, STAGES_FOREIGN_MEMORY, COPIES_TOGETHER, SERVES_NON_COHERENT);
    }
  }

  @Nested
  class NotSnoopingDirect extends Stack {
    NotSnoopingDirect() {
      super(
          TckSetup.untranslated().withDevice(TckSetup.untranslated().device().withCoherent(false)),
          direct(),
          Map.of(),
          BOUNCES,
          STAGES_FOREIGN_MEMORY,
          COPIES_TOGETHER,
          SERVES_NON_COHERENT);
    }
  }

  @Nested
  class TrustedIommu extends Stack {
    TrustedIommu() {
      super(
          behind("vtd", SlotOptions.DEFAULT),
          iommu(),
          Map.of(),
          TRANSLATES,
          WRITE_ONLY,
          SPARSE_WINDOWS,
          CHANGES_PERMISSION,
          SPLITS_LINKS,
          IN_PLACE,
          STAGES_FOREIGN_MEMORY,
          COPIES_TOGETHER,
          SERVES_UNTRUSTED,
          TRACKS_WRITES,
          SERVES_NON_COHERENT);
    }
  }

  @Nested
  class UntrustedVtd extends Stack {
    UntrustedVtd() {
      super(
          behind("vtd", SlotOptions.DEFAULT.withTrusted(false)),
          iommu(),
          Map.of(),
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
          SERVES_NON_COHERENT);
    }
  }

  @Nested
  class UntrustedAmd64K extends Stack {
    UntrustedAmd64K() {
      super(
          behind("amd", SlotOptions.DEFAULT.withTrusted(false)),
          iommu().with("granule", "64K"),
          Map.of("size", "16M", "max-size", "64M"),
          TRANSLATES,
          WRITE_ONLY,
          SPARSE_WINDOWS,
          CHANGES_PERMISSION,
          BOUNCES,
          STAGES_FOREIGN_MEMORY,
          COPIES_TOGETHER,
          SERVES_UNTRUSTED,
          TRACKS_WRITES,
          SERVES_NON_COHERENT);
    }
  }

  @Nested
  class TrustedAmd64K extends Stack {
    TrustedAmd64K() {
      super(
          behind("amd", SlotOptions.DEFAULT),
          iommu().with("granule", "64K"),
          Map.of("size", "16M", "max-size", "64M"),
          TRANSLATES,
          WRITE_ONLY,
          SPARSE_WINDOWS,
          CHANGES_PERMISSION,
          IN_PLACE,
          BOUNCES,
          STAGES_FOREIGN_MEMORY,
          COPIES_TOGETHER,
          SERVES_UNTRUSTED,
          TRACKS_WRITES,
          SERVES_NON_COHERENT);
    }
  }

  @Nested
  class NotSnoopingIommu extends Stack {
    NotSnoopingIommu() {
      super(
          behind("vtd", SlotOptions.DEFAULT.withCoherent(false)),
          iommu(),
          Map.of(),
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
          SERVES_NON_COHERENT);
    }
  }

  @Nested
  class ForcedLazyIommu extends Stack {
    ForcedLazyIommu() {
      super(
          behind("vtd", SlotOptions.DEFAULT),
          iommu().with("flush", "lazy"),
          Map.of("force", "true"),
          TRANSLATES,
          WRITE_ONLY,
          BOUNCES,
          LAZY,
          STAGES_FOREIGN_MEMORY,
          COPIES_TOGETHER,
          SERVES_UNTRUSTED,
          TRACKS_WRITES,
          SERVES_NON_COHERENT);
    }
  }

  @Nested
  class UntrustedHostManaged extends Stack {
    UntrustedHostManaged() {
      super(
          TckSetup.translated().withDevice(SlotOptions.DEFAULT.withTrusted(false)).byHost(),
          iommu(),
          // So little that slots run out before the host's mappings do.
          Map.of("size", "1M", "max-size", "4M"),
          TRANSLATES,
          WRITE_ONLY,
          SPARSE_WINDOWS,
          BOUNCES,
          STAGES_FOREIGN_MEMORY,
          COPIES_TOGETHER,
          SERVES_UNTRUSTED);
    }
  }

  /** As behind VFIO, whose kernel lets devices read what they may write. */
  @Nested
  class UntrustedWhereWritersRead extends Stack {
    UntrustedWhereWritersRead() {
      super(
          TckSetup.translated().withDevice(SlotOptions.DEFAULT.withTrusted(false)).byHostWhereWritersRead(),
          iommu(),
          Map.of("size", "1M", "max-size", "4M"),
          TRANSLATES,
          SHOWS_WRITERS_ZEROS,
          SPARSE_WINDOWS,
          BOUNCES,
          STAGES_FOREIGN_MEMORY,
          COPIES_TOGETHER,
          SERVES_UNTRUSTED);
    }
  }
}
