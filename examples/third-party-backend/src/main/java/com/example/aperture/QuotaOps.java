package com.example.aperture;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/** Charges a device for what it maps or reserves, until that is out of its reach. */
final class QuotaOps extends ForwardingOps {
  private final String device;
  private final int layer;
  private final AtomicLong held;
  private final long most;

  QuotaOps(DmaOps next, AttachContext context, AtomicLong held, long most) {
    super(next);
    device = context.device();
    layer = context.layer();
    this.held = held;
    this.most = most;
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    charge(length);
    try {
      next.map(state, phys, length, flags, undo);
    } catch (RuntimeException e) {
      held.addAndGet(-length);
      throw e;
    }
    remember(state, length);
  }

  @Override
  public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
    charge(segment.byteSize());
    try {
      next.mapSegment(state, segment, flags, undo);
    } catch (RuntimeException e) {
      held.addAndGet(-segment.byteSize());
      throw e;
    }
    remember(state, segment.byteSize());
  }

  @Override
  public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
    long bytes = Arrays.stream(length, 0, count).sum();
    charge(bytes);
    try {
      next.mapGathered(state, phys, length, count, flags, undo);
    } catch (RuntimeException e) {
      held.addAndGet(-bytes);
      throw e;
    }
    remember(state, bytes);
  }

  @Override
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
    charge(length);
    try {
      next.reserve(state, offsetInGranule, length, alignment, highest, flags);
    } catch (RuntimeException e) {
      held.addAndGet(-length);
      throw e;
    }
    remember(state, length);
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    next.unmap(state, batch);
    refundLater(state, batch);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    next.release(state, batch);
    refundLater(state, batch);
  }

  private void charge(long length) {
    long before = held.getAndAdd(length);
    if (length > most - before) {
      held.addAndGet(-length);
      throw new DmaMappingException(
          Reason.QUOTA,
          "%s: 0x%x bytes more than the 0x%x it holds would exceed its quota of 0x%x; unmap something".formatted(device, length, before, most));
    }
  }

  private void remember(MappingState state, long length) {
    state.word(layer, length);
    state.flags |= MapFlags.NEEDS_UNMAP;
  }

  private void refundLater(MappingState state, Retirement batch) {
    long length = state.word(layer);
    if (length != 0) {
      state.word(layer, 0);
      batch.retire(Retirement.OWNER, this, length, 0, 0);
    }
  }

  @Override
  public void retire(int phase, long length, long unused, long alsoUnused) {
    held.addAndGet(-length);
  }
}
