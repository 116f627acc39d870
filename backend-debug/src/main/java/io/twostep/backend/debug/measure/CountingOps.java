package io.twostep.backend.debug.measure;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;

/**
 * Counts every call, and has one in so many timed; while a flight recording asks for an event, every call of its kind.
 *
 * <p>A call that is not timed costs its counters and nothing else: no clock, no allocation.
 */
final class CountingOps extends ForwardingOps {
  /** No number has this bit under a mask of none. */
  private static final long NEVER = 1;

  private final DmaOps timing;
  private final Meter meter;
  private final Counters counters;

  /** A call is timed if the number of those before it, under the mask, is this. */
  private final long sampled;

  private final long sampleMask;

  CountingOps(DmaOps next, AttachContext context, Meter meter, Counters counters, int sample) {
    super(next);
    this.timing = new TimingOps(next, context.device(), meter);
    this.meter = meter;
    this.counters = counters;
    this.sampleMask = sample == 0 ? 0 : Long.highestOneBit(2L * sample - 1) - 1;
    this.sampled = sample == 0 ? NEVER : 0;
  }

  /** Count a call, and tell whether it is to be timed. */
  private boolean isTimed(int stripe, int counter, DmaEvent probe) {
    return (counters.add(stripe, counter, 1) & sampleMask) == sampled || probe.isEnabled();
  }

  /** The same for a teardown, of which the invalidation may be recorded too. */
  private boolean isTimed(int stripe, int counter) {
    return isTimed(stripe, counter, TeardownEvent.PROBE) || InvalidationEvent.PROBE.isEnabled();
  }

  private RuntimeException failed(RuntimeException failure) {
    counters.add(counters.stripe(), Counters.FAILURES, 1);
    return failure;
  }

  /** Count bytes that the device can use now. Those of a window are counted when they are published, for a run is linked without its length being known, and adding up its ranges would cost more than all the rest. */
  private void usable(int stripe, MappingState state, long length) {
    counters.add(stripe, Counters.BYTES, length);
    if ((state.flags & MapFlags.BOUNCED) != 0) {
      counters.add(stripe, Counters.BOUNCED, length);
    }
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.MAP, MapEvent.PROBE);
    try {
      (timed ? timing : next).map(state, phys, length, flags, undo);
    } catch (RuntimeException e) {
      throw failed(e);
    }
    usable(stripe, state, length);
  }

  @Override
  public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.MAP, MapEvent.PROBE);
    try {
      (timed ? timing : next).mapSegment(state, segment, flags, undo);
    } catch (RuntimeException e) {
      throw failed(e);
    }
    usable(stripe, state, segment.byteSize());
  }

  @Override
  public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.MAP, MapEvent.PROBE);
    try {
      (timed ? timing : next).mapGathered(state, phys, length, count, flags, undo);
    } catch (RuntimeException e) {
      throw failed(e);
    }
    usable(stripe, state, state.length);
  }

  @Override
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    boolean timed = isTimed(counters.stripe(), Counters.RESERVE, ReserveEvent.PROBE);
    try {
      (timed ? timing : next).reserve(state, offsetInGranule, length, alignment, highest, flags);
    } catch (RuntimeException e) {
      throw failed(e);
    }
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.LINK, LinkEvent.PROBE);
    try {
      (timed ? timing : next).link(state, offset, phys, length, flags, undo);
    } catch (RuntimeException e) {
      throw failed(e);
    }
    counters.add(stripe, Counters.RANGES, 1);
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.LINK, LinkEvent.PROBE);
    try {
      (timed ? timing : next).linkRun(state, offset, phys, length, from, to, flags, undo);
    } catch (RuntimeException e) {
      throw failed(e);
    }
    counters.add(stripe, Counters.RANGES, to - from);
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.PUBLISH, PublishEvent.PROBE);
    try {
      (timed ? timing : next).publish(state, offset, length, undo);
    } catch (RuntimeException e) {
      throw failed(e);
    }
    usable(stripe, state, length);
  }

  @Override
  public void sync(MappingState state, long offset, long length, int toward) {
    boolean timed = isTimed(counters.stripe(), Counters.SYNC, SyncEvent.PROBE);
    try {
      (timed ? timing : next).sync(state, offset, length, toward);
    } catch (RuntimeException e) {
      throw failed(e);
    }
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    boolean timed = isTimed(counters.stripe(), Counters.UNLINK);
    try {
      (timed ? timing : next).unlink(state, offset, length, batch);
    } catch (RuntimeException e) {
      throw failed(e);
    }
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    boolean timed = isTimed(counters.stripe(), Counters.TEARDOWN);
    try {
      (timed ? timing : next).unmap(state, batch);
    } catch (RuntimeException e) {
      throw failed(e);
    }
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    boolean timed = isTimed(counters.stripe(), Counters.TEARDOWN);
    try {
      (timed ? timing : next).release(state, batch);
    } catch (RuntimeException e) {
      throw failed(e);
    }
  }

  @Override
  public void close() {
    meter.close(counters);
    super.close();
  }
}
