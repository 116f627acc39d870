package io.twostep.machine.model.memory;

/**
 * Hand out frames: runs from the buddy allocator, single frames at random from a pool per zone.
 *
 * <p>Pure and not thread-safe. Every frame is free, or handed out, never both; {@link #freeFrames} counts the pools too.
 */
final class FrameAllocator {
  private final BuddyAllocator buddy = new BuddyAllocator();
  private final ScatterPool low;
  private final ScatterPool high;
  private final PhysicalLayout layout;

  FrameAllocator(PhysicalLayout layout, Rng rng) {
    this.layout = layout;
    low = new ScatterPool(buddy, false, rng.split("frames below 4 GiB"));
    high = new ScatterPool(buddy, true, rng.split("frames above 4 GiB"));
    buddy.free(layout.basePfn(), layout.lowEndPfn() - layout.basePfn());
    if (layout.topPfn() > PhysicalLayout.HIGH_PFN) {
      buddy.free(PhysicalLayout.HIGH_PFN, layout.topPfn() - PhysicalLayout.HIGH_PFN);
    }
  }

  /** Take adjacent, naturally aligned frames, none above {@code lastPfn}; NONE if there is no such run. */
  int allocateRun(int count, int lastPfn) {
    if (count == 1) {
      return allocateSingle(lastPfn);
    }
    int pfn = buddy.allocate(count, lastPfn);
    if (pfn == BuddyAllocator.NONE) {
      drain();
      pfn = buddy.allocate(count, lastPfn);
    }
    return pfn;
  }

  /** Take adjacent, naturally aligned frames, none below {@code firstPfn} or above {@code lastPfn}; NONE if there is no such run. */
  int allocateRunWithin(int count, int firstPfn, int lastPfn) {
    int pfn = buddy.allocateWithin(count, firstPfn, lastPfn);
    if (pfn == BuddyAllocator.NONE) {
      drain();
      pfn = buddy.allocateWithin(count, firstPfn, lastPfn);
    }
    return pfn;
  }

  /** Take one frame at random, not above {@code lastPfn}; NONE if there is none. */
  int allocateSingle(int lastPfn) {
    int pfn = BuddyAllocator.NONE;
    if (lastPfn >= layout.topPfn() - 1) {
      pfn = high.draw();
    }
    if (pfn == BuddyAllocator.NONE && lastPfn >= layout.lowEndPfn() - 1) {
      pfn = low.draw();
    }
    if (pfn == BuddyAllocator.NONE) {
      pfn = allocateLimited(lastPfn);
    }
    return pfn;
  }

  private int allocateLimited(int lastPfn) {
    int pfn = buddy.allocate(1, lastPfn);
    if (pfn == BuddyAllocator.NONE) {
      drain();
      pfn = buddy.allocate(1, lastPfn);
    }
    return pfn;
  }

  void freeRun(int pfn, int count) {
    if (count == 1) {
      (pfn >= PhysicalLayout.HIGH_PFN ? high : low).giveBack(pfn);
    } else {
      buddy.free(pfn, count);
    }
  }

  long freeFrames() {
    return buddy.freeFrames() + low.freeFrames() + high.freeFrames();
  }

  /** Return how many free blocks there are once the pools are empty; a machine that got everything back has as many as at first. */
  int fragments() {
    drain();
    return buddy.freeBlocks();
  }

  private void drain() {
    low.drain();
    high.drain();
  }
}
