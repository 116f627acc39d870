package io.twostep.dma.fake;

import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DirtyTracker;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/** A layer that answers bus addresses for peers whose region is named "bus", passes "bridge" on, and reaches no other peer. */
public final class PeerLayer implements LayerBackend {
  public static final long BUS = 0x4000_0000_0000L;

  private final Faults faults;

  public PeerLayer(Faults faults) {
    this.faults = faults;
  }

  @Override
  public String name() {
    return "fake-p2p";
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    faults.hit("layer attach");
    return new PeerOps(context, next);
  }

  @Override
  public void close() {}

  private final class PeerOps extends FaultyOps {
    private final AttachContext context;

    PeerOps(AttachContext context, DmaOps next) {
      super(next, PeerLayer.this.faults);
      this.context = context;
    }

    @Override
    public int classify(long phys, long length) {
      MemoryRegion region = context.machine().memory().regionOf(phys, length);
      if (region.kind() != MemoryKind.PEER) {
        return next.classify(phys, length);
      }
      return switch (region.name()) {
        case "bus" -> RangeKind.BUS_PEER;
        case "bridge" -> RangeKind.BRIDGE_PEER;
        default -> RangeKind.UNREACHABLE;
      };
    }

    /** Return nothing: what goes by bus address is seen by nobody. */
    @Override
    public @Nullable DirtyTracker dirtyTracker() {
      return null;
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      if (classify(phys, length) == RangeKind.BUS_PEER) {
        faults.hit("bus map");
        state.dmaAddress = phys + BUS;
        state.length = length;
        state.flags = 0;
      } else {
        super.map(state, phys, length, flags, undo);
      }
    }
  }
}
