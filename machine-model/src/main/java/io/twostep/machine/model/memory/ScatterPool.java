package io.twostep.machine.model.memory;

import java.util.Arrays;

/**
 * Draw single frames at random from one zone.
 *
 * <p>The pool holds the frames of several distant chunks and draws among all of them; frames in it are free. Pure and not thread-safe.
 */
final class ScatterPool {
  private static final int CHUNK_ORDER = 9;
  private static final int LOW_WATER = 2 << CHUNK_ORDER;
  private static final int HIGH_WATER = 32 << CHUNK_ORDER;

  private final BuddyAllocator buddy;
  private final boolean high;
  private final Rng rng;
  private int[] frames = new int[LOW_WATER * 2];
  private int count;

  ScatterPool(BuddyAllocator buddy, boolean high, Rng rng) {
    this.buddy = buddy;
    this.high = high;
    this.rng = rng;
  }

  /** Draw a frame, or {@link BuddyAllocator#NONE} if the zone has none. */
  int draw() {
    if (count < LOW_WATER) {
      refill();
    }
    if (count == 0) {
      return BuddyAllocator.NONE;
    }
    int at = rng.below(count);
    int pfn = frames[at];
    frames[at] = frames[--count];
    return pfn;
  }

  void giveBack(int pfn) {
    push(pfn);
    if (count > HIGH_WATER) {
      drain();
    }
  }

  /** Return every frame to the buddy allocator, so that runs can form again. */
  void drain() {
    for (int i = 0; i < count; i++) {
      buddy.free(frames[i], 1);
    }
    count = 0;
  }

  int freeFrames() {
    return count;
  }

  private void refill() {
    while (count < LOW_WATER * 2) {
      int pfn = buddy.allocateAnywhere(high, CHUNK_ORDER, rng);
      if (pfn == BuddyAllocator.NONE) {
        return;
      }
      int n = 1 << buddy.lastOrder();
      for (int i = 0; i < n; i++) {
        push(pfn + i);
      }
    }
  }

  private void push(int pfn) {
    if (count == frames.length) {
      frames = Arrays.copyOf(frames, count * 2);
    }
    frames[count++] = pfn;
  }
}
