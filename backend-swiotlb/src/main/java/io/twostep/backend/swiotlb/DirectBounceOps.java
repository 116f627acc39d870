package io.twostep.backend.swiotlb;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;

/** The primitives of a device that nothing translates for: what it does not reach as it is goes into slots as a whole. */
final class DirectBounceOps extends StagingOps {
  private final boolean force;

  DirectBounceOps(DmaOps next, DeviceSlots slots, int layer, boolean force) {
    super(next, slots, layer);
    this.force = force;
  }

  @Override
  public long maxMappingLength() {
    return Math.min(slots.mostBytes(), next.maxMappingLength());
  }

  @Override
  public boolean reaches(long phys, long length) {
    return !force && next.reaches(phys, length);
  }

  @Override
  public int mapInPlace(long[] phys, long[] length, int from, int to, int flags, long[] dmaAddress) {
    return force ? 0 : super.mapInPlace(phys, length, from, to, flags, dmaAddress);
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    if (passes(flags) || reaches(phys, length)) {
      next.map(state, phys, length, flags, undo);
    } else {
      bounce(state, phys, length, flags, undo);
    }
  }
}
