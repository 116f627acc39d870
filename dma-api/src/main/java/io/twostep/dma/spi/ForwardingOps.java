package io.twostep.dma.spi;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Passes every call on: the base of a layer, which overrides what concerns it.
 *
 * <p>Forwards the defaulted methods too, which a layer that implements {@link DmaOps} from nothing easily forgets: what the terminal can do would be
 * switched off without a word. All but {@link #mapInPlace}, which would pass by what a layer does in {@link #map}: a layer that does nothing there passes it on itself.
 */
public abstract class ForwardingOps implements DmaOps {
  /** The ops below. */
  protected final DmaOps next;

  /** Create ops above {@code next}. */
  protected ForwardingOps(DmaOps next) {
    this.next = Objects.requireNonNull(next, "next");
  }

  @Override
  public String device() {
    return next.device();
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
  public String whyUnreachable(long phys, long length) {
    return next.whyUnreachable(phys, length);
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    next.map(state, phys, length, flags, undo);
  }

  /** Map nothing, so that {@link #map} sees every range. */
  @Override
  public int mapInPlace(long[] phys, long[] length, int from, int to, int flags, long[] dmaAddress) {
    return 0;
  }

  @Override
  public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    next.mapSegment(state, segment, flags, undo);
  }

  @Override
  public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    next.mapGathered(state, phys, length, count, flags, undo);
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    next.unmap(state, batch);
  }

  @Override
  public void reserve(
      MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    next.reserve(state, offsetInGranule, length, alignment, highest, flags);
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
  public void forget(MappingState state) {
    next.forget(state);
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
  public long nextLinked(MappingState state, long offset, long step) {
    return next.nextLinked(state, offset, step);
  }

  @Override
  public void refused(@Nullable MappingState state, Misuse misuse, String call, long first, long length) {
    next.refused(state, misuse, call, first, length);
  }

  @Override
  public void mapperClosed() {
    next.mapperClosed();
  }

  @Override
  public @Nullable DirtyTracker dirtyTracker() {
    return next.dirtyTracker();
  }

  @Override
  public String whyUntracked() {
    return next.whyUntracked();
  }

  @Override
  public boolean isLazy() {
    return next.isLazy();
  }

  @Override
  public long flushesCompleted() {
    return next.flushesCompleted();
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
