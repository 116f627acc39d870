package io.twostep.dma.fake;

import io.twostep.dma.spi.DirtyTracker;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A layer that passes everything on, for layers that change a little; each call that may fail asks {@link Faults} first. */
class ForwardingOps implements DmaOps {
  final DmaOps next;
  final Faults faults;

  ForwardingOps(DmaOps next, Faults faults) {
    this.next = next;
    this.faults = faults;
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
  public boolean reaches(long phys, long length) {
    return next.reaches(phys, length);
  }

  @Override
  public int classify(long phys, long length) {
    return next.classify(phys, length);
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    faults.hit("layer map");
    next.map(state, phys, length, flags, undo);
  }

  @Override
  public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    faults.hit("layer mapSegment");
    next.mapSegment(state, segment, flags, undo);
  }

  @Override
  public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    faults.hit("layer mapGathered");
    next.mapGathered(state, phys, length, count, flags, undo);
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    faults.hit("layer unmap");
    next.unmap(state, batch);
  }

  @Override
  public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
    faults.hit("layer reserve");
    next.reserve(state, lead, length, alignment, highest, flags);
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    faults.hit("layer link");
    next.link(state, offset, phys, length, flags, undo);
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    faults.hit("layer linkRun");
    next.linkRun(state, offset, phys, length, from, to, flags, undo);
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    faults.hit("layer publish");
    next.publish(state, offset, length, undo);
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    faults.hit("layer unlink");
    next.unlink(state, offset, length, batch);
  }

  @Override
  public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
    faults.hit("layer protect");
    next.protect(state, offset, length, access, batch);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    faults.hit("layer release");
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
  public @Nullable DirtyTracker dirtyTracker() {
    return next.dirtyTracker();
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
