package io.twostep.machine.model.memory;

import io.twostep.dma.MemoryPlacement;
import org.jspecify.annotations.Nullable;

/** Make blocks of frames and take them apart: frames, the CPU's view of them, and who owns what. The caller holds the memory's lock. */
final class BlockAllocator {
  private static final int SHIFT = PhysicalLayout.FRAME_SHIFT;
  private static final long FRAME = PhysicalLayout.FRAME_SIZE;

  private final ModelMemory memory;
  private final PhysicalLayout layout;
  private final Storage storage;
  private final FrameTable table;
  private final CacheView cache;
  private final FrameAllocator frames;
  private final ViewAllocator views;
  private long made;

  BlockAllocator(ModelMemory memory, PhysicalLayout layout, Storage storage, FrameTable table, CacheView cache, Rng rng) {
    this.memory = memory;
    this.layout = layout;
    this.storage = storage;
    this.table = table;
    this.cache = cache;
    frames = new FrameAllocator(layout, rng);
    views = new ViewAllocator(storage.firstViewPage(), storage.viewPages());
  }

  /** Make a block of frames of which none lies above {@code highestPhys}, and if it is contiguous none below {@code lowestPhys}; null if there are none. */
  @Nullable Block tryMake(long length, MemoryPlacement placement, long lowestPhys, long highestPhys) {
    int count = (int) ((length + FRAME - 1) >>> SHIFT);
    int lastPfn = lastPfn(highestPhys);
    if (lastPfn < layout.basePfn()) {
      return null;
    }
    return placement == MemoryPlacement.SCATTERED && count > 1
        ? scattered(length, count, lastPfn)
        : contiguous(length, count, placement, firstPfn(lowestPhys), lastPfn);
  }

  private int firstPfn(long lowestPhys) {
    return (int) (Long.compareUnsigned(lowestPhys, layout.top()) >= 0 ? layout.top() >>> SHIFT : (lowestPhys + FRAME - 1) >>> SHIFT);
  }

  private int lastPfn(long highestPhys) {
    long highest = layout.top() - 1;
    if (Long.compareUnsigned(highestPhys, highest) >= 0) {
      return (int) (highest >>> SHIFT);
    }
    return (int) ((highestPhys + 1) >>> SHIFT) - 1;
  }

  private @Nullable Block contiguous(long length, int count, MemoryPlacement placement, int firstPfn, int lastPfn) {
    int pfn = firstPfn <= layout.basePfn() ? frames.allocateRun(count, lastPfn) : frames.allocateRunWithin(count, firstPfn, lastPfn);
    if (pfn == BuddyAllocator.NONE) {
      return null;
    }
    long offset = ((long) pfn << SHIFT) - layout.base();
    storage.zero(offset >>> SHIFT, count);
    Block block = new Block(memory, placement, name(), length, count, pfn, null, offset);
    for (int i = 0; i < count; i++) {
      cache.forget(pfn + (long) i);
      table.set((offset >>> SHIFT) + i, block, 0);
    }
    return block;
  }

  private @Nullable Block scattered(long length, int count, int lastPfn) {
    if (frames.freeFrames() < count) {
      return null;
    }
    int firstPage = views.allocate(count);
    if (firstPage == ViewAllocator.NONE) {
      return null;
    }
    int[] pfns = new int[count];
    for (int i = 0; i < count; i++) {
      pfns[i] = frames.allocateSingle(lastPfn);
      if (pfns[i] == BuddyAllocator.NONE) {
        for (int j = 0; j < i; j++) {
          frames.freeRun(pfns[j], 1);
        }
        views.free(firstPage, count);
        return null;
      }
    }
    storage.zero(firstPage, count);
    Block block = new Block(memory, MemoryPlacement.SCATTERED, name(), length, count, pfns[0], pfns, (long) firstPage << SHIFT);
    for (int i = 0; i < count; i++) {
      cache.forget(pfns[i]);
      table.set(pfns[i] - layout.basePfn(), block, firstPage + i);
      table.set(firstPage + i, block, 0);
    }
    return block;
  }

  private String name() {
    return "block " + ++made;
  }

  /** Let nothing find a block any more; its frames stay taken until {@link #free}. */
  void forget(Block block) {
    for (int i = 0; i < block.frames(); i++) {
      long pfn = block.frame(i);
      cache.forget(pfn);
      table.set(pfn - layout.basePfn(), null, table.storagePage(pfn - layout.basePfn()));
      if (block.scattered()) {
        table.set((block.storageOffset() >>> SHIFT) + i, null, 0);
      }
    }
  }

  /** Give the frames of a forgotten block to whoever asks next. */
  void free(Block block) {
    if (!block.scattered()) {
      frames.freeRun((int) block.frame(0), block.frames());
      return;
    }
    for (int i = 0; i < block.frames(); i++) {
      int pfn = (int) block.frame(i);
      table.set(pfn - layout.basePfn(), null, 0);
      frames.freeRun(pfn, 1);
    }
    views.free((int) (block.storageOffset() >>> SHIFT), block.frames());
  }

  long freeFrames() {
    return frames.freeFrames();
  }

  /** Return the number of free runs once single frames are joined. */
  int fragments() {
    return frames.fragments();
  }
}
