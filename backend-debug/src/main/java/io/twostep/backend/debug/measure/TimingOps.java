package io.twostep.backend.debug.measure;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Times each call that reaches it, and writes its event where a flight recording asks for it. */
final class TimingOps extends ForwardingOps {
  private final String device;
  private final Meter meter;

  TimingOps(DmaOps next, String device, Meter meter) {
    super(next);
    this.device = device;
    this.meter = meter;
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    DmaEvent event = MapEvent.PROBE.isEnabled() ? started(new MapEvent()) : null;
    long start = System.nanoTime();
    next.map(state, phys, length, flags, undo);
    meter.timed(Call.MAP, System.nanoTime() - start);
    if (event != null) {
      commit(event, state, state.dmaAddress, length, 1);
    }
  }

  @Override
  public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    DmaEvent event = MapEvent.PROBE.isEnabled() ? started(new MapEvent()) : null;
    long start = System.nanoTime();
    next.mapSegment(state, segment, flags, undo);
    meter.timed(Call.MAP, System.nanoTime() - start);
    if (event != null) {
      commit(event, state, state.dmaAddress, segment.byteSize(), 1);
    }
  }

  @Override
  public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    DmaEvent event = MapEvent.PROBE.isEnabled() ? started(new MapEvent()) : null;
    long start = System.nanoTime();
    next.mapGathered(state, phys, length, count, flags, undo);
    meter.timed(Call.MAP, System.nanoTime() - start);
    if (event != null) {
      commit(event, state, state.dmaAddress, state.length, count);
    }
  }

  @Override
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    DmaEvent event = ReserveEvent.PROBE.isEnabled() ? started(new ReserveEvent()) : null;
    long start = System.nanoTime();
    next.reserve(state, offsetInGranule, length, alignment, highest, flags);
    meter.timed(Call.RESERVE, System.nanoTime() - start);
    if (event != null) {
      commit(event, state, state.dmaAddress, length, 0);
    }
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    DmaEvent event = LinkEvent.PROBE.isEnabled() ? started(new LinkEvent()) : null;
    long start = System.nanoTime();
    next.link(state, offset, phys, length, flags, undo);
    meter.timed(Call.LINK, System.nanoTime() - start);
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, length, 1);
    }
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    DmaEvent event = LinkEvent.PROBE.isEnabled() ? started(new LinkEvent()) : null;
    long start = System.nanoTime();
    next.linkRun(state, offset, phys, length, from, to, flags, undo);
    meter.timed(Call.LINK, System.nanoTime() - start);
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, Arrays.stream(length, from, to).sum(), to - from);
    }
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    DmaEvent event = PublishEvent.PROBE.isEnabled() ? started(new PublishEvent()) : null;
    long start = System.nanoTime();
    next.publish(state, offset, length, undo);
    meter.timed(Call.PUBLISH, System.nanoTime() - start);
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, length, 0);
    }
  }

  @Override
  public void sync(MappingState state, long offset, long length, int toward) {
    DmaEvent event = SyncEvent.PROBE.isEnabled() ? started(new SyncEvent()) : null;
    long start = System.nanoTime();
    next.sync(state, offset, length, toward);
    meter.timed(Call.SYNC, System.nanoTime() - start);
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, length, 0);
    }
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    DmaEvent event = TeardownEvent.PROBE.isEnabled() ? started(new TeardownEvent()) : null;
    long start = System.nanoTime();
    next.unlink(state, offset, length, batch);
    tornDown(state, event, start, offset, length, batch);
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    DmaEvent event = TeardownEvent.PROBE.isEnabled() ? started(new TeardownEvent()) : null;
    long start = System.nanoTime();
    next.unmap(state, batch);
    tornDown(state, event, start, 0, state.length, batch);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    DmaEvent event = TeardownEvent.PROBE.isEnabled() ? started(new TeardownEvent()) : null;
    long start = System.nanoTime();
    next.release(state, batch);
    tornDown(state, event, start, 0, state.length, batch);
  }

  private void tornDown(MappingState state, @Nullable DmaEvent event, long start, long offset, long length, Retirement batch) {
    long now = System.nanoTime();
    meter.timed(Call.TEARDOWN, now - start);
    if (event != null) {
      commit(event, state, state.dmaAddress + offset, length, 0);
    }
    batch.retire(Retirement.OWNER, this, now, state.dmaAddress + offset, length);
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
}
