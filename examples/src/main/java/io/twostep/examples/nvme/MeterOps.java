package io.twostep.examples.nvme;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;

/** Passes everything on, and looks at what the layers below left in the state. */
final class MeterOps implements DmaOps {
  private final DmaOps next;
  private final Meter meter;

  MeterOps(DmaOps next, Meter meter) {
    this.next = next;
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
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    next.reserve(state, offsetInGranule, length, alignment, highest, flags);
    look(state);
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    next.link(state, offset, phys, length, flags, undo);
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    next.linkRun(state, offset, phys, length, from, to, flags, undo);
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    next.publish(state, offset, length, undo);
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    next.unmap(state, batch);
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    next.unlink(state, offset, length, batch);
  }

  @Override
  public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
    next.protect(state, offset, length, access, batch);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    next.release(state, batch);
  }

  @Override
  public void sync(MappingState state, long offset, long length, int toward) {
    next.sync(state, offset, length, toward);
  }

  @Override
  public long physOf(MappingState state, long offset) {
    return next.physOf(state, offset);
  }

  @Override
  public long granule() {
    return next.granule();
  }

  @Override
  public long unit() {
    return next.unit();
  }

  @Override
  public boolean translates() {
    return next.translates();
  }

  @Override
  public boolean enforcesWriteOnly() {
    return next.enforcesWriteOnly();
  }

  @Override
  public long nextLinked(MappingState state, long offset, long step) {
    return next.nextLinked(state, offset, step);
  }

  @Override
  public long maxMappingLength() {
    return next.maxMappingLength();
  }

  @Override
  public long optimalMappingLength() {
    return next.optimalMappingLength();
  }

  @Override
  public boolean reaches(long phys, long length) {
    return next.reaches(phys, length);
  }

  @Override
  public int classify(long phys, long length) {
    return next.classify(phys, length);
  }

  @Override
  public void quiesce() {
    next.quiesce();
  }

  @Override
  public void close() {
    next.close();
  }
}
