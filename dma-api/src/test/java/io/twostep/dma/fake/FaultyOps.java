package io.twostep.dma.fake;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;

/** A layer that passes everything on, for layers that change a little; each call that may fail asks {@link Faults} first. */
class FaultyOps extends ForwardingOps {
  final Faults faults;

  FaultyOps(DmaOps next, Faults faults) {
    super(next);
    this.faults = faults;
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    faults.hit("layer map");
    super.map(state, phys, length, flags, undo);
  }

  @Override
  public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    faults.hit("layer mapSegment");
    super.mapSegment(state, segment, flags, undo);
  }

  @Override
  public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    faults.hit("layer mapGathered");
    super.mapGathered(state, phys, length, count, flags, undo);
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    faults.hit("layer unmap");
    super.unmap(state, batch);
  }

  @Override
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    faults.hit("layer reserve");
    super.reserve(state, offsetInGranule, length, alignment, highest, flags);
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    faults.hit("layer link");
    super.link(state, offset, phys, length, flags, undo);
  }

  @Override
  public void linkRun(MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    faults.hit("layer linkRun");
    super.linkRun(state, offset, phys, length, from, to, flags, undo);
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    faults.hit("layer publish");
    super.publish(state, offset, length, undo);
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    faults.hit("layer unlink");
    super.unlink(state, offset, length, batch);
  }

  @Override
  public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
    faults.hit("layer protect");
    super.protect(state, offset, length, access, batch);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    faults.hit("layer release");
    super.release(state, batch);
  }
}
