package io.twostep.backend.debug.measure;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Counts every call and times one in so many; while a flight recording asks for an event, every call of its kind.
 *
 * <p>A call that is not timed costs its counters and nothing else: no clock, no allocation.
 */
final class MeasuringOps extends ForwardingOps {
  private final String device;
  private final Meter meter;
  private final Counters counters;

  MeasuringOps(DmaOps next, AttachContext context, Meter meter, Counters counters) {
    super(next);
    this.device = context.device();
    this.meter = meter;
    this.counters = counters;
  }

  private boolean isTimed(int stripe, int counter) {
    return meter.isTimed(counters.add(stripe, counter, 1));
  }

  private void failed() {
    counters.add(counters.stripe(), Counters.FAILURES, 1);
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.MAP);
    DmaEvent event = MapEvent.PROBE.isEnabled() ? started(new MapEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.map(state, phys, length, flags, undo);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    if (timed) {
      meter.timed(Call.MAP, System.nanoTime() - start);
    }
    mapped(stripe, state, length);
    if (event != null) {
      commit(event, state, state.dmaAddress, length, 1);
    }
  }

  private void mapped(int stripe, MappingState state, long length) {
    counters.add(stripe, Counters.BYTES, length);
    if ((state.flags & MapFlags.BOUNCED) != 0) {
      counters.add(stripe, Counters.BOUNCED, length);
    }
  }

  @Override
  public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.MAP);
    DmaEvent event = MapEvent.PROBE.isEnabled() ? started(new MapEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.mapSegment(state, segment, flags, undo);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    if (timed) {
      meter.timed(Call.MAP, System.nanoTime() - start);
    }
    mapped(stripe, state, segment.byteSize());
    if (event != null) {
      commit(event, state, state.dmaAddress, segment.byteSize(), 1);
    }
  }

  @Override
  public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.MAP);
    DmaEvent event = MapEvent.PROBE.isEnabled() ? started(new MapEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.mapGathered(state, phys, length, count, flags, undo);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    if (timed) {
      meter.timed(Call.MAP, System.nanoTime() - start);
    }
    mapped(stripe, state, state.length);
    if (event != null) {
      commit(event, state, state.dmaAddress, state.length, count);
    }
  }

  @Override
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    boolean timed = isTimed(counters.stripe(), Counters.RESERVE);
    DmaEvent event = ReserveEvent.PROBE.isEnabled() ? started(new ReserveEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.reserve(state, offsetInGranule, length, alignment, highest, flags);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    if (timed) {
      meter.timed(Call.RESERVE, System.nanoTime() - start);
    }
    if (event != null) {
      commit(event, state, state.dmaAddress, length, 0);
    }
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.LINK);
    DmaEvent event = LinkEvent.PROBE.isEnabled() ? started(new LinkEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.link(state, offset, phys, length, flags, undo);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    if (timed) {
      meter.timed(Call.LINK, System.nanoTime() - start);
    }
    counters.add(stripe, Counters.RANGES, 1);
    mapped(stripe, state, length);
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, length, 1);
    }
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    int stripe = counters.stripe();
    boolean timed = isTimed(stripe, Counters.LINK);
    DmaEvent event = LinkEvent.PROBE.isEnabled() ? started(new LinkEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.linkRun(state, offset, phys, length, from, to, flags, undo);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    if (timed) {
      meter.timed(Call.LINK, System.nanoTime() - start);
    }
    long bytes = 0;
    for (int i = from; i < to; i++) {
      bytes += length[i];
    }
    counters.add(stripe, Counters.RANGES, to - from);
    mapped(stripe, state, bytes);
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, bytes, to - from);
    }
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    boolean timed = isTimed(counters.stripe(), Counters.PUBLISH);
    DmaEvent event = PublishEvent.PROBE.isEnabled() ? started(new PublishEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.publish(state, offset, length, undo);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    if (timed) {
      meter.timed(Call.PUBLISH, System.nanoTime() - start);
    }
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, length, 0);
    }
  }

  @Override
  public void sync(MappingState state, long offset, long length, int toward) {
    boolean timed = isTimed(counters.stripe(), Counters.SYNC);
    DmaEvent event = SyncEvent.PROBE.isEnabled() ? started(new SyncEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    next.sync(state, offset, length, toward);
    if (timed) {
      meter.timed(Call.SYNC, System.nanoTime() - start);
    }
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, length, 0);
    }
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    boolean timed = isTimed(counters.stripe(), Counters.UNLINK);
    DmaEvent event = TeardownEvent.PROBE.isEnabled() ? started(new TeardownEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.unlink(state, offset, length, batch);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    tornDown(state, event, timed, start, offset, length, batch);
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    boolean timed = isTimed(counters.stripe(), Counters.TEARDOWN);
    DmaEvent event = TeardownEvent.PROBE.isEnabled() ? started(new TeardownEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.unmap(state, batch);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    tornDown(state, event, timed, start, 0, state.length, batch);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    boolean timed = isTimed(counters.stripe(), Counters.TEARDOWN);
    DmaEvent event = TeardownEvent.PROBE.isEnabled() ? started(new TeardownEvent()) : null;
    long start = timed ? System.nanoTime() : 0;
    try {
      next.release(state, batch);
    } catch (RuntimeException e) {
      failed();
      throw e;
    }
    tornDown(state, event, timed, start, 0, state.length, batch);
  }

  private void tornDown(
      MappingState state, @Nullable DmaEvent event, boolean timed, long start, long offset, long length, Retirement batch) {
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, length, 0);
    }
    if (timed || InvalidationEvent.PROBE.isEnabled()) {
      long now = System.nanoTime();
      if (timed) {
        meter.timed(Call.TEARDOWN, now - start);
      }
      batch.retire(Retirement.OWNER, this, now, state.dmaAddress + offset, length);
    }
  }

  @Override
  public void retire(int phase, long since, long address, long length) {
    meter.timed(Call.INVALIDATION, System.nanoTime() - since);
    if (InvalidationEvent.PROBE.isEnabled()) {
      InvalidationEvent event = new InvalidationEvent();
      event.device = device;
      event.address = address;
      event.length = length;
      event.commit();
    }
  }

  private static DmaEvent started(DmaEvent event) {
    event.begin();
    return event;
  }

  private void commit(DmaEvent event, MappingState state, long address, long length, int ranges) {
    event.device = device;
    event.address = address;
    event.length = length;
    event.ranges = ranges;
    event.bounced = (state.flags & MapFlags.BOUNCED) != 0 ? length : 0;
    event.commit();
  }

  @Override
  public void close() {
    meter.close(counters);
    super.close();
  }
}
