package io.twostep.backend.debug;

import static io.twostep.tck.Behavior.BOUNCES;
import static io.twostep.tck.Behavior.CHANGES_PERMISSION;
import static io.twostep.tck.Behavior.COPIES_TOGETHER;
import static io.twostep.tck.Behavior.IN_PLACE;
import static io.twostep.tck.Behavior.LAZY;
import static io.twostep.tck.Behavior.MAKES_GARBAGE;
import static io.twostep.tck.Behavior.REACHES_PEERS_ON_THE_BUS;
import static io.twostep.tck.Behavior.SERVES_NON_COHERENT;
import static io.twostep.tck.Behavior.SERVES_UNTRUSTED;
import static io.twostep.tck.Behavior.SPARSE_WINDOWS;
import static io.twostep.tck.Behavior.SPLITS_LINKS;
import static io.twostep.tck.Behavior.STAGES_FOREIGN_MEMORY;
import static io.twostep.tck.Behavior.TRACKS_WRITES;
import static io.twostep.tck.Behavior.TRANSLATES;
import static io.twostep.tck.Behavior.WRITE_ONLY;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.IommuBackendPlugin;
import io.twostep.backend.p2p.P2pBackendPlugin;
import io.twostep.backend.swiotlb.SwiotlbBackendPlugin;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.tck.Behavior;
import io.twostep.tck.LayerBackendTck;
import io.twostep.tck.TckPart;
import io.twostep.tck.TckSetup;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The checker above what it checks: nothing may be different but what it knows. */
class DebugConformanceTest {
  /** The layer by itself, for all that the kit proves, and its verdict on the stack below. */
  private abstract static class Stack extends LayerBackendTck {
    private final TckSetup setup;
    private final List<TckPart> below;
    private final Set<Behavior> behaviors;
    private final List<DebugBackend> checkers = new ArrayList<>();

    /** The kit breaks every rule for callers, and makes calls fail; whatever it does, the stack below is not to blame. */
    @RegisterExtension
    final AfterEachCallback acquitted =
        context -> {
          for (DebugBackend checker : checkers) {
            assertThat(checker.statistics().byRule().keySet().stream().filter(rule -> rule.group() == Rule.Group.STACK))
                .as(() -> "rules that the checker says a backend broke:" + blamed(checker))
                .isEmpty();
          }
        };

    Stack(TckSetup setup, List<TckPart> below, Behavior first, Behavior... others) {
      this.setup = setup;
      this.below = below;
      behaviors = EnumSet.of(first, others);
    }

    private static String blamed(DebugBackend checker) {
      return checker.reports(Integer.MAX_VALUE).stream()
          .filter(report -> report.rule().group() == Rule.Group.STACK)
          .map(report -> "\n" + report.text(12))
          .collect(Collectors.joining());
    }

    @Override
    public BackendPlugin plugin() {
      return new DebugBackendPlugin();
    }

    /** Of the caller's rules the kit's refused calls break many. */
    @Override
    public Map<String, String> settings() {
      return Map.of("on-error", "count", "limit", "1024", "traces", "false");
    }

    @Override
    public List<TckPart> stack() {
      List<TckPart> stack = new ArrayList<>(super.stack());
      stack.set(0, new TckPart(new RememberingPlugin(plugin(), checkers), settings()));
      return stack;
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

  @Nested
  class OverLazyIommuOfADeviceThatDoesNotSnoop extends Stack {
    OverLazyIommuOfADeviceThatDoesNotSnoop() {
      super(
          TckSetup.translated().withMachineSetting("formats", "amd").withDevice(TckSetup.translated().device().withCoherent(false)),
          List.of(TckPart.of(new IommuBackendPlugin()).with("flush", "lazy").with("granule", "16K")),
          TRANSLATES,
          WRITE_ONLY,
          SPARSE_WINDOWS,
          CHANGES_PERMISSION,
          IN_PLACE,
          LAZY,
          SERVES_UNTRUSTED,
          TRACKS_WRITES,
          SERVES_NON_COHERENT,
          MAKES_GARBAGE);
    }

    @Override
    public long edge() {
      return 64;
    }
  }

  @Nested
  class OverAHost extends Stack {
    OverAHost() {
      super(
          TckSetup.translated().byHost(),
          List.of(TckPart.of(new IommuBackendPlugin())),
          TRANSLATES,
          WRITE_ONLY,
          SPARSE_WINDOWS,
          IN_PLACE,
          SERVES_UNTRUSTED,
          MAKES_GARBAGE);
    }
  }

  @Nested
  class OverForcedBounceOverDirect extends Stack {
    OverForcedBounceOverDirect() {
      super(
          TckSetup.untranslated(),
          List.of(
              new TckPart(new SwiotlbBackendPlugin(), Map.of("size", "4M", "max-size", "16M", "areas", "2", "force", "true")),
              TckPart.of(new DirectBackendPlugin())),
          BOUNCES,
          STAGES_FOREIGN_MEMORY,
          COPIES_TOGETHER,
          SERVES_NON_COHERENT,
          MAKES_GARBAGE);
    }
  }

  @Nested
  class OverPeersOnTheBusOverIommu extends Stack {
    OverPeersOnTheBusOverIommu() {
      super(
          TckSetup.translated()
              .withMachineSetting(
                  "tree",
                  "host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=01-1f; upstream-port 01:00.0 bus=02-1f; downstream-port 02:00.0 bus=03;"
                      + " downstream-port 02:01.0 bus=04")
              .onBus(3),
          List.of(TckPart.of(new P2pBackendPlugin()), TckPart.of(new IommuBackendPlugin())),
          TRANSLATES,
          WRITE_ONLY,
          SPARSE_WINDOWS,
          CHANGES_PERMISSION,
          SPLITS_LINKS,
          IN_PLACE,
          SERVES_UNTRUSTED,
          SERVES_NON_COHERENT,
          REACHES_PEERS_ON_THE_BUS,
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
