package io.twostep.dma;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The ranges of one request that are mapped one by one; only those that owe an unmap or a sync are remembered, by their offset in the request.
 *
 * <p>States are kept and reused, so that a warm transfer allocates nothing.
 */
final class SegmentStates {
  private @Nullable MappingState[] states = {};
  private long[] offsets = {};
  private int count;
  private int flags;

  /** Map a range and return its DMA address. */
  long map(AttachedStack stack, long phys, long length, int request, long requestOffset, Retirement undo) {
    MappingState state = free(stack);
    stack.ops.map(state, phys, length, request, undo);
    return remember(state, requestOffset);
  }

  /** Map ranges as one by copying them together, and return its DMA address. */
  long gather(AttachedStack stack, GatheredRanges ranges, int request, Retirement undo) {
    MappingState state = free(stack);
    ranges.map(stack.ops, state, request, undo);
    return remember(state, 0);
  }

  private long remember(MappingState state, long requestOffset) {
    if ((state.flags & (MapFlags.HEARS_UNMAP | MapFlags.HEARS_SYNC)) != 0) {
      offsets[count++] = requestOffset;
      flags |= state.flags;
    }
    return state.dmaAddress;
  }

  private MappingState free(AttachedStack stack) {
    if (count == states.length) {
      int capacity = Math.max(4, count * 2);
      states = Arrays.copyOf(states, capacity);
      offsets = Arrays.copyOf(offsets, capacity);
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
    return (flags & MapFlags.NEEDS_SYNC) != 0;
  }

  /** Tell whether sync goes down the stack, be it only because a layer watches. */
  boolean hearsSync() {
    return (flags & MapFlags.HEARS_SYNC) != 0;
  }

  /** Return the state that mapped the first range last, or null if none ever did. */
  @Nullable MappingState first() {
    return states.length == 0 ? null : states[0];
  }

  /** Move ownership of the part of the request from {@code offset} on. */
  void sync(DmaOps ops, long offset, long length, int toward) {
    long end = offset + length;
    for (int i = firstAt(offset); i < count && offsets[i] < end; i++) {
      MappingState state = states[i];
      if (state != null && (state.flags & MapFlags.HEARS_SYNC) != 0) {
        long from = Math.max(offset, offsets[i]);
        long to = Math.min(end, offsets[i] + state.length);
        if (from < to) {
          ops.sync(state, from - offsets[i], to - from, toward);
        }
      }
    }
  }

  /** Return the last segment that starts at or before {@code offset}, or the first one. */
  private int firstAt(long offset) {
    int found = Arrays.binarySearch(offsets, 0, count, offset);
    return found >= 0 ? found : Math.max(0, -found - 2);
  }

  /** Unmap everything, whatever fails; returns the first failure. */
  @Nullable RuntimeException takeDown(DmaHandle owner, Retirement retirement) {
    RuntimeException failures = null;
    while (count > 0) {
      MappingState state = states[--count];
      if (state != null) {
        RuntimeException failure = owner.takeDown(state, false, retirement);
        if (failure != null) {
          states[count] = null;
          failures = DmaHandle.join(failures, failure);
        }
      }
    }
    flags = 0;
    return failures;
  }

  /** Tell the ops that made the states that they are not used again; what they held last is still to be seen. */
  void forget(DmaOps ops) {
    for (MappingState state : states) {
      if (state != null) {
        ops.forget(state);
      }
    }
  }

  /** Drop the states: those of another stack are others. */
  void drop() {
    Arrays.fill(states, null);
  }
}
