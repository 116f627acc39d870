package io.twostep.examples.nvme;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;

/** Passes everything on, and looks at what the layers below left in the state. */
final class MeterOps extends ForwardingOps {
  private final Meter meter;

  MeterOps(DmaOps next, Meter meter) {
    super(next);
    this.meter = meter;
  }

  private void look(MappingState state) {
    if (state.allocated != 0) {
      meter.allocated();
    }
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    next.map(state, phys, length, flags, undo);
    look(state);
  }

  @Override
  public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    next.mapSegment(state, segment, flags, undo);
    look(state);
  }

  @Override
  public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    next.mapGathered(state, phys, length, count, flags, undo);
    look(state);
  }

  @Override
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    next.reserve(state, offsetInGranule, length, alignment, highest, flags);
    look(state);
  }
}
