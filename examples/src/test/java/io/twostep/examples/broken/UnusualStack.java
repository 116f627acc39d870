package io.twostep.examples.broken;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.IommuBackendPlugin;
import io.twostep.backend.swiotlb.SwiotlbBackendPlugin;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import io.twostep.tck.BackendTck;
import io.twostep.tck.Behavior;
import io.twostep.tck.TckPart;
import io.twostep.tck.TckSetup;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** The kit's tests over a stack that is right, and is not what most are; run by {@link KitServesUnusualStacksTest}, never by itself. */
class UnusualStack extends BackendTck {
  /** Which one: the launcher makes the instances, so it cannot be handed in. */
  static final ThreadLocal<World> WORLD = new ThreadLocal<>();

  /** Stacks whose granule, edges, limits or memory are out of the ordinary. */
  enum World {
    UNTRUSTED_IN_GRANULES_OF_16K(untrusted("amd"), iommu("granule", "16K"), 16 << 10, offered()),
    UNTRUSTED_IN_GRANULES_OF_64K(untrusted("amd"), iommu("granule", "64K"), 64 << 10, offered()),
    HOST_IN_GRANULES_OF_2M(
        TckSetup.translated().byHost(2 << 20).withMachineSetting("memory", "1GiB"),
        List.of(TckPart.of(new IommuBackendPlugin())),
        1,
        EnumSet.of(Behavior.TRANSLATES, Behavior.WRITE_ONLY, Behavior.SPARSE_WINDOWS, Behavior.IN_PLACE, Behavior.SERVES_UNTRUSTED)),
    EDGES_ON_WORDS(TckSetup.untranslated(), edged(new DirectBackendPlugin(), 4), 4, direct()),
    EDGES_ON_WORDS_TRANSLATED(behind("vtd"), edged(new IommuBackendPlugin(), 4), 4, offered(Behavior.SPLITS_LINKS)),
    EDGES_ON_SECTORS(behind("vtd"), edged(new IommuBackendPlugin(), 512), 512, offered(Behavior.SPLITS_LINKS)),
    KEEPS_SIXTEEN_LOW_BITS(
        behind("vtd").withLimits(DeviceLimits.UNLIMITED.withMinAlignMask(0xffff)), iommu("flush", "strict"), 1, offered(Behavior.SPLITS_LINKS)),
    REQUESTS_OF_64K_AT_MOST(TckSetup.untranslated(), List.of(part(new DirectBackendPlugin(), MapsNoMoreThan64K::new)), 1, direct()),
    POOL_OF_512K(
        TckSetup.untranslated(),
        List.of(
            TckPart.of(new SwiotlbBackendPlugin()).with("size", "512K").with("max-size", "512K").with("areas", "1").with("force", "true"),
            TckPart.of(new DirectBackendPlugin())),
        1,
        EnumSet.of(Behavior.BOUNCES, Behavior.STAGES_FOREIGN_MEMORY, Behavior.COPIES_TOGETHER, Behavior.SERVES_NON_COHERENT));

    private final TckSetup setup;
    private final List<TckPart> stack;
    private final long edge;
    private final Set<Behavior> behaviors;

    World(TckSetup setup, List<TckPart> stack, long edge, Set<Behavior> behaviors) {
      this.setup = setup;
      this.stack = stack;
      this.edge = edge;
      this.behaviors = behaviors;
    }

    private static TckSetup behind(String format) {
      return TckSetup.translated().withMachineSetting("formats", format);
    }

    private static TckSetup untrusted(String format) {
      return behind(format).withDevice(TckSetup.translated().device().withTrusted(false));
    }

    private static List<TckPart> iommu(String setting, String value) {
      return List.of(TckPart.of(new IommuBackendPlugin()).with(setting, value));
    }

    private static List<TckPart> edged(BackendPlugin plugin, long edge) {
      return List.of(part(plugin, (next, context) -> new WantsEdges(next, context, edge)));
    }

    private static TckPart part(BackendPlugin plugin, Defect.Ops ops) {
      return TckPart.of(new BrokenPlugin(plugin, context -> context, ops));
    }

    private static Set<Behavior> direct() {
      return EnumSet.of(Behavior.IN_PLACE, Behavior.SPARSE_WINDOWS, Behavior.SERVES_NON_COHERENT);
    }

    private static Set<Behavior> offered(Behavior... others) {
      Set<Behavior> offered =
          EnumSet.of(
              Behavior.TRANSLATES,
              Behavior.WRITE_ONLY,
              Behavior.SPARSE_WINDOWS,
              Behavior.CHANGES_PERMISSION,
              Behavior.IN_PLACE,
              Behavior.SERVES_UNTRUSTED,
              Behavior.SERVES_NON_COHERENT,
              Behavior.TRACKS_WRITES);
      offered.addAll(List.of(others));
      return offered;
    }
  }

  private final World world = WORLD.get();

  @Override
  public BackendPlugin plugin() {
    return stack().getFirst().plugin();
  }

  @Override
  public List<TckPart> stack() {
    return world.stack;
  }

  @Override
  public TckSetup setup() {
    return world.setup;
  }

  @Override
  public long edge() {
    return world.edge;
  }

  @Override
  public Set<Behavior> behaviors() {
    return world.behaviors;
  }

  /** Refuses ranges whose edges its device cannot digest. */
  private static final class WantsEdges extends Healthy {
    private final long edge;

    WantsEdges(DmaOps next, AttachContext context, long edge) {
      super(next, context);
      this.edge = edge;
    }

    private void requireEdges(long phys, long length, int flags) {
      if (((phys | length) & edge - 1) != 0 && (flags & MapFlags.COHERENT_MEMORY) == 0) {
        throw new DmaMappingException(
            Reason.MISALIGNED, "%s: cannot map 0x%x+0x%x: edges must lie on 0x%x; align them".formatted(device(), phys, length, edge));
      }
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      requireEdges(phys, length, flags);
      next.map(state, phys, length, flags, undo);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      requireEdges(phys, length, flags);
      next.link(state, offset, phys, length, flags, undo);
    }

    @Override
    public void linkRun(MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
      for (int i = from; i < to; i++) {
        requireEdges(phys[i], length[i], flags);
      }
      next.linkRun(state, offset, phys, length, from, to, flags, undo);
    }
  }

  /** Refuses what is longer than its device can digest. */
  private static final class MapsNoMoreThan64K extends Healthy {
    private static final long MOST = 64 << 10;

    MapsNoMoreThan64K(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public long maxMappingLength() {
      return MOST;
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      if (length > MOST) {
        throw new DmaMappingException(
            Reason.OUT_OF_BOUNDS, "%s: cannot map 0x%x+0x%x: at most 0x%x bytes at once; map parts".formatted(device(), phys, length, MOST));
      }
      next.map(state, phys, length, flags, undo);
    }
  }
}
