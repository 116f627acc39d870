package io.twostep.dma;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The ranges of one request that are mapped one by one, where nothing translates; only those that owe an unmap or a sync are remembered.
 *
 * <p>States are kept and reused, so that a warm transfer allocates nothing.
 */
final class SegmentStates {
  private @Nullable MappingState[] states = new MappingState[4];
  private long[] offsets = new long[4];
  private int count;
  private boolean needsSync;

  /** Map a range and return its DMA address. */
  long map(AttachedStack stack, long phys, long length, int flags, long requestOffset, Retirement undo) {
    MappingState state = free(stack);
    stack.ops.map(state, phys, length, flags, undo);
    if ((state.flags & (MapFlags.NEEDS_UNMAP | MapFlags.NEEDS_SYNC)) != 0) {
      offsets[count++] = requestOffset;
      needsSync |= state.has(MapFlags.NEEDS_SYNC);
    }
    return state.dmaAddress;
  }

  private MappingState free(AttachedStack stack) {
    if (count == states.length) {
      states = Arrays.copyOf(states, count * 2);
      offsets = Arrays.copyOf(offsets, count * 2);
    }
    MappingState state = states[count];
    if (state == null) {
      state = new MappingState(stack.layers);
      states[count] = state;
    }
    state.reset();
    return state;
  }

  boolean needsSync() {
    return needsSync;
  }

  /** Move ownership of the part of the request from {@code offset} on. */
  void sync(DmaOps ops, long offset, long length, int toward) {
    long end = offset + length;
    for (int i = 0; i < count; i++) {
      MappingState state = states[i];
      if (state == null || !state.has(MapFlags.NEEDS_SYNC)) {
        continue;
      }
      long from = Math.max(offset, offsets[i]);
      long to = Math.min(end, offsets[i] + state.length);
      if (from < to) {
        ops.sync(state, from - offsets[i], to - from, toward);
      }
    }
  }

  /** Unmap everything. */
  void unmapAll(DmaOps ops, Retirement batch) {
    RuntimeException failure = null;
    while (count > 0) {
      MappingState state = states[--count];
      if (state != null && state.has(MapFlags.NEEDS_UNMAP)) {
        try {
          ops.unmap(state, batch);
        } catch (RuntimeException e) {
          if (failure == null) {
            failure = e;
          } else {
            failure.addSuppressed(e);
          }
        }
      }
    }
    needsSync = false;
    if (failure != null) {
      throw failure;
    }
  }

  /** Forget the states of another stack. */
  void rebind() {
    Arrays.fill(states, null);
  }
}
