package io.twostep.examples.broken;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.IommuBackendPlugin;
import io.twostep.backend.p2p.P2pBackendPlugin;
import io.twostep.backend.swiotlb.SwiotlbBackendPlugin;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.tck.BackendTck;
import io.twostep.tck.Behavior;
import io.twostep.tck.TckPart;
import io.twostep.tck.TckSetup;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The kit's tests over a stack with a mistake; run by {@link KitCatchesMistakesTest}, never by itself. */
class BrokenStack extends BackendTck {
  /** The mistake, and whether it is made: the launcher makes the instances, so it cannot be handed in. */
  static final ThreadLocal<Defect> DEFECT = new ThreadLocal<>();

  static final ThreadLocal<Boolean> MADE = ThreadLocal.withInitial(() -> true);

  private final Defect defect = DEFECT.get();
  private final boolean made = MADE.get();

  @Override
  public BackendPlugin plugin() {
    return stack().getFirst().plugin();
  }

  @Override
  public List<TckPart> stack() {
    return switch (defect.base()) {
      case IOMMU, IOMMU_NOT_SNOOPING, HOST -> List.of(broken(new IommuBackendPlugin()));
      case LAZY_IOMMU -> List.of(broken(new IommuBackendPlugin()).with("flush", "lazy"));
      case DIRECT, DIRECT_NOT_SNOOPING -> List.of(broken(new DirectBackendPlugin()));
      case BOUNCE -> List.of(small(broken(new SwiotlbBackendPlugin())).with("force", "true"), TckPart.of(new DirectBackendPlugin()));
      case BOUNCE_UNTRUSTED -> {
        Defect.World world = made ? defect.world() : context -> context;
        TckPart below = TckPart.of(new BrokenPlugin(new IommuBackendPlugin(), world, Healthy::new));
        yield List.of(small(broken(new SwiotlbBackendPlugin())), below);
      }
      case BOUNCE_WHERE_WRITERS_READ, MODEST_WHERE_WRITERS_READ -> List.of(small(broken(new SwiotlbBackendPlugin())), TckPart.of(new IommuBackendPlugin()));
      case PEERS_ON_THE_BUS, PEERS_THROUGH_THE_HOST -> List.of(broken(new P2pBackendPlugin()), TckPart.of(new IommuBackendPlugin()));
    };
  }

  private TckPart broken(BackendPlugin sound) {
    return TckPart.of(made ? new BrokenPlugin(sound, defect.world(), defect.ops(), defect.end()) : new BrokenPlugin(sound, context -> context, Healthy::new));
  }

  private static TckPart small(TckPart bounce) {
    return new TckPart(bounce.plugin(), Map.of("size", "1M", "max-size", "4M", "areas", "1"));
  }

  @Override
  public TckSetup setup() {
    return switch (defect.base()) {
      case IOMMU_NOT_SNOOPING ->
          TckSetup.translated().withMachineSetting("formats", "vtd").withDevice(TckSetup.translated().device().withCoherent(false));
      case IOMMU, LAZY_IOMMU -> TckSetup.translated().withMachineSetting("formats", "vtd");
      case DIRECT, BOUNCE -> TckSetup.untranslated();
      case DIRECT_NOT_SNOOPING -> TckSetup.untranslated().withDevice(TckSetup.untranslated().device().withCoherent(false));
      case BOUNCE_UNTRUSTED -> TckSetup.translated().withDevice(TckSetup.translated().device().withTrusted(false));
      case HOST -> TckSetup.translated().byHost();
      case BOUNCE_WHERE_WRITERS_READ, MODEST_WHERE_WRITERS_READ -> TckSetup.translated().withDevice(TckSetup.translated().device().withTrusted(false)).byHostWhereWritersRead();
      case PEERS_ON_THE_BUS ->
          TckSetup.translated()
              .withMachineSetting(
                  "tree",
                  "host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=01-1f; upstream-port 01:00.0 bus=02-1f; downstream-port 02:00.0 bus=03;"
                      + " downstream-port 02:01.0 bus=04")
              .onBus(3);
      case PEERS_THROUGH_THE_HOST ->
          TckSetup.translated().withMachineSetting("tree", "host-bridge 8086:2020 bus=00-1f; root-port 00:01.0 bus=01; root-port 00:02.0 bus=02");
    };
  }

  @Override
  public long edge() {
    return switch (defect.base()) {
      case IOMMU_NOT_SNOOPING, DIRECT_NOT_SNOOPING -> 64;
      default -> super.edge();
    };
  }

  @Override
  public Set<Behavior> behaviors() {
    Set<Behavior> translated =
        EnumSet.of(
            Behavior.TRANSLATES,
            Behavior.WRITE_ONLY,
            Behavior.SPARSE_WINDOWS,
            Behavior.CHANGES_PERMISSION,
            Behavior.SPLITS_LINKS,
            Behavior.SERVES_UNTRUSTED,
            Behavior.SERVES_NON_COHERENT);
    switch (defect.base()) {
      case IOMMU, IOMMU_NOT_SNOOPING -> translated.addAll(EnumSet.of(Behavior.IN_PLACE, Behavior.TRACKS_WRITES));
      case LAZY_IOMMU -> translated.addAll(EnumSet.of(Behavior.IN_PLACE, Behavior.TRACKS_WRITES, Behavior.LAZY));
      case BOUNCE_UNTRUSTED -> translated.addAll(EnumSet.of(Behavior.BOUNCES, Behavior.STAGES_FOREIGN_MEMORY, Behavior.COPIES_TOGETHER, Behavior.TRACKS_WRITES));
      case PEERS_ON_THE_BUS -> translated.addAll(EnumSet.of(Behavior.IN_PLACE, Behavior.REACHES_PEERS_ON_THE_BUS));
      case PEERS_THROUGH_THE_HOST -> translated.addAll(EnumSet.of(Behavior.IN_PLACE, Behavior.REACHES_PEERS_THROUGH_THE_HOST));
      case HOST -> {
        return EnumSet.of(Behavior.TRANSLATES, Behavior.WRITE_ONLY, Behavior.SPARSE_WINDOWS, Behavior.IN_PLACE, Behavior.SERVES_UNTRUSTED);
      }
      // Says nothing of what writers read.
      case MODEST_WHERE_WRITERS_READ -> {
        return EnumSet.of(
            Behavior.TRANSLATES,
            Behavior.SPARSE_WINDOWS,
            Behavior.BOUNCES,
            Behavior.STAGES_FOREIGN_MEMORY,
            Behavior.COPIES_TOGETHER,
            Behavior.SERVES_UNTRUSTED);
      }
      case BOUNCE_WHERE_WRITERS_READ -> {
        return EnumSet.of(
            Behavior.TRANSLATES,
            Behavior.SHOWS_WRITERS_ZEROS,
            Behavior.SPARSE_WINDOWS,
            Behavior.BOUNCES,
            Behavior.STAGES_FOREIGN_MEMORY,
            Behavior.COPIES_TOGETHER,
            Behavior.SERVES_UNTRUSTED);
      }
      case DIRECT, DIRECT_NOT_SNOOPING -> {
        return EnumSet.of(Behavior.IN_PLACE, Behavior.SPARSE_WINDOWS, Behavior.SERVES_NON_COHERENT);
      }
      case BOUNCE -> {
        return EnumSet.of(Behavior.BOUNCES, Behavior.STAGES_FOREIGN_MEMORY, Behavior.COPIES_TOGETHER, Behavior.SERVES_NON_COHERENT);
      }
    }
    return translated;
  }
}
