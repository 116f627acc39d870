package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Walks, builds and takes apart the tree of table pages; knows words and levels, nothing of ranges or policy.
 *
 * <p>A table is named by its offset in the segment, an entry by the offset of its word with its level in the low three
 * bits. Tables are installed by compare-and-set with release and followed with acquire, so that whoever sees a pointer
 * sees the zeroed page behind it; leaf words are plain, because their range has one owner and hardware is told by the
 * owner's publish.
 */
final class TableTree {
  static final int PAGE_SHIFT = 12;
  static final int LEVEL_SHIFT = 9;
  static final int WORDS = 1 << LEVEL_SHIFT;

  /** The span of one leaf table, as a power of two. */
  static final int LEAF_TABLE_SHIFT = PAGE_SHIFT + LEVEL_SHIFT;

  /** Answers of walks in place of a table: no table there, a leaf above it, no page for it. */
  static final long ABSENT = -1;

  static final long LEAF_ABOVE = -2;
  static final long NO_MEMORY = -3;

  /** The bits that hold a level beside something else. */
  static final int LEVEL_BITS = 3;

  private static final int LEVEL_MASK = (1 << LEVEL_BITS) - 1;
  private static final VarHandle WORD =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle().withInvokeExactBehavior();

  final MemorySegment segment;
  private final long base;
  private final TableMemory memory;
  private final RootPublisher publisher;
  private final int lastTop;
  private final long typeMask;
  private final long typeStep;
  private final long pointerBits;
  private final long contiguousMask;
  private final long contiguousType;
  private final AtomicLong pages = new AtomicLong();
  private final AtomicLong detachments = new AtomicLong();
  private final @Nullable LongAdder stores;

  /** The root's physical address with its level in the low bits: one word, so that both change at once. */
  private volatile long root;

  /** The highest address that the root spans; written after the root, so that it never promises too much. */
  private volatile long spanLast;

  TableTree(TableFormat format, TableMemory memory, RootPublisher publisher, @Nullable LongAdder stores) {
    this.memory = memory;
    this.stores = stores;
    this.segment = memory.segment();
    this.base = memory.base();
    this.publisher = publisher;
    this.lastTop = format.lastTop();
    this.typeMask = format.typeMask();
    this.typeStep = format.typeStep();
    this.pointerBits = format.pointerBits();
    this.contiguousMask = format.contiguousMask();
    this.contiguousType = format.contiguousType();
    long page = memory.allocatePage();
    if (page == TableMemory.NONE) {
      throw new IllegalStateException(format.name() + ": no table page left for a root");
    }
    pages.set(1);
    root = page | format.firstTop();
    spanLast = spanOf(format.firstTop() + 1) - 1;
  }

  /** Counts words stored, where somebody wants to know. */
  void stored(long words) {
    if (stores != null) {
      stores.add(words);
    }
  }

  /** Counts words that are about to be zeroed, where somebody wants to know; those that are zero already do not count. */
  void clearing(long offset, int words) {
    if (stores != null) {
      stores.add(LeafWords.present(segment, offset, words));
    }
  }

  static long word(MemorySegment segment, long offset) {
    return (long) WORD.get(segment, offset);
  }

  static void setWord(MemorySegment segment, long offset, long word) {
    WORD.set(segment, offset, word);
  }

  /** Reads a word that others may install or change meanwhile. */
  long acquire(long offset) {
    return (long) WORD.getAcquire(segment, offset);
  }

  /** Replaces the word if it still is {@code expected}: for words that hardware changes too. */
  boolean replace(long offset, long expected, long word) {
    return WORD.compareAndSet(segment, offset, expected, word);
  }

  /** Takes a word out, with the bits that hardware set up to that moment. */
  long take(long offset) {
    return (long) WORD.getAndSet(segment, offset, 0L);
  }

  /** Returns the root's physical address with its level in the low bits, as one. */
  long rootEntry() {
    return root;
  }

  /** Returns the highest address below a root of {@code level}. */
  static long lastBelow(int level) {
    return spanOf(level + 1) - 1;
  }

  long rootPhys() {
    return root & ~LEVEL_MASK;
  }

  int top() {
    return (int) root & LEVEL_MASK;
  }

  /** Returns how many tables were ever detached: while it stays the same, every table stays what it was. */
  long detachments() {
    return detachments.get();
  }

  long pages() {
    return pages.get();
  }

  /** Returns the smaller of {@code last} and what the root spans: beyond it there are only holes. */
  long clip(long last) {
    long span = spanLast;
    return Long.compareUnsigned(last, span) <= 0 ? last : span;
  }

  /** Tells whether the root reaches {@code last}; if not, it would have to grow. */
  boolean spans(long last) {
    return Long.compareUnsigned(last, spanLast) <= 0;
  }

  long offsetOf(long phys) {
    return phys - base;
  }

  boolean isTable(long word, int level) {
    return level > 0 && (word & typeMask) == level * typeStep;
  }

  long childOf(long pointer) {
    return (pointer & TableFormat.ADDRESS_MASK) - base;
  }

  boolean isContiguous(long leaf) {
    return (leaf & contiguousMask) == contiguousType;
  }

  /** Returns the span of a leaf as a power of two. */
  int leafShift(long leaf, int level) {
    return isContiguous(leaf)
        ? PAGE_SHIFT + 1 + Long.numberOfTrailingZeros(~(leaf >>> PAGE_SHIFT))
        : wordShift(level);
  }

  static int wordShift(int level) {
    return PAGE_SHIFT + LEVEL_SHIFT * level;
  }

  /** Returns the offset of the word for {@code iova} in a table of {@code level}. */
  static long slot(long table, int level, long iova) {
    return table + (((iova >>> wordShift(level)) & (WORDS - 1)) << 3);
  }

  static int levelOf(long entry) {
    return (int) entry & LEVEL_MASK;
  }

  static long offsetOfEntry(long entry) {
    return entry & ~LEVEL_MASK;
  }

  /** Returns the table of {@code level} for {@code iova}, or {@link #ABSENT} or {@link #LEAF_ABOVE}. */
  long find(long iova, int level) {
    if (!spans(iova)) {
      return ABSENT;
    }
    long start = root;
    long table = (start & ~LEVEL_MASK) - base;
    for (int at = (int) start & LEVEL_MASK; at > level; at--) {
      long word = (long) WORD.getAcquire(segment, slot(table, at, iova));
      if (word == 0) {
        return ABSENT;
      }
      if ((word & typeMask) != at * typeStep) {
        return LEAF_ABOVE;
      }
      table = childOf(word);
    }
    return table;
  }

  /**
   * Returns the table of {@code level} for {@code iova}, built where it was missing, or {@link #LEAF_ABOVE} or {@link
   * #NO_MEMORY}. What was built stays, empty, even if a later step fails: others may already share it.
   */
  long build(long iova, int level) {
    if ((!spans(iova) || level > top()) && !grow(iova, level)) {
      return NO_MEMORY;
    }
    long start = root;
    long table = (start & ~LEVEL_MASK) - base;
    for (int at = (int) start & LEVEL_MASK; at > level; at--) {
      long slot = slot(table, at, iova);
      long word = (long) WORD.getAcquire(segment, slot);
      if (word == 0) {
        word = install(slot, at);
        if (word == 0) {
          return NO_MEMORY;
        }
      }
      if ((word & typeMask) != at * typeStep) {
        return LEAF_ABOVE;
      }
      table = childOf(word);
    }
    return table;
  }

  /** Returns the entry that decides about {@code iova}: a leaf, or a hole at the lowest level that has a table. */
  long locate(long iova) {
    long start = root;
    long table = (start & ~LEVEL_MASK) - base;
    int at = (int) start & LEVEL_MASK;
    while (true) {
      long slot = slot(table, at, iova);
      long word = (long) WORD.getAcquire(segment, slot);
      if (word == 0 || !isTable(word, at)) {
        return slot | at;
      }
      table = childOf(word);
      at--;
    }
  }

  /** Returns the entry for {@code iova}, {@code words} words after {@code entry}, walking only where it must. */
  long next(long entry, long words, long iova) {
    long following = entry + (words << 3);
    if ((entry ^ following) >>> PAGE_SHIFT != 0) {
      return locate(iova);
    }
    long word = (long) WORD.getAcquire(segment, offsetOfEntry(following));
    return word != 0 && isTable(word, levelOf(entry)) ? locate(iova) : following;
  }

  /** Tells whether nothing is linked below a pointer at {@code level}. */
  boolean isEmptyBelow(long pointer, int level) {
    long table = childOf(pointer);
    for (int i = 0; i < WORDS; i++) {
      long word = (long) WORD.getAcquire(segment, table + ((long) i << 3));
      if (word != 0 && !(isTable(word, level - 1) && isEmptyBelow(word, level - 1))) {
        return false;
      }
    }
    return true;
  }

  /** Hands the table behind a pointer at {@code level}, and all tables below it, to {@code detached}. */
  void detach(long pointer, int level, TablePages detached) {
    long table = childOf(pointer);
    for (int i = 0; level > 1 && i < WORDS; i++) {
      long slot = table + ((long) i << 3);
      long word = (long) WORD.getAcquire(segment, slot);
      if (word != 0) {
        WORD.set(segment, slot, 0L);
        stored(1);
        detach(word, level - 1, detached);
      }
    }
    handOver(table, detached);
  }

  /** Hands one table, which nothing points to any more, to {@code detached}. */
  void handOver(long table, TablePages detached) {
    detachments.getAndIncrement();
    pages.decrementAndGet();
    detached.add(segment, base, table + base);
  }

  /** Frees every table, the root included; no walk may follow. */
  void free() {
    free(offsetOf(rootPhys()), top());
  }

  private void free(long table, int level) {
    for (int i = 0; level > 0 && i < WORDS; i++) {
      long word = (long) WORD.getAcquire(segment, table + ((long) i << 3));
      if (word != 0 && isTable(word, level)) {
        free(childOf(word), level - 1);
      }
    }
    pages.decrementAndGet();
    memory.freePage(table + base);
  }

  /** Returns the pointer that now stands in the slot, ours or that of whoever was faster, or 0 without memory. */
  private long install(long slot, int level) {
    long page = memory.allocatePage();
    if (page == TableMemory.NONE) {
      return 0;
    }
    long pointer = pointer(page, level);
    long found = (long) WORD.compareAndExchangeRelease(segment, slot, 0L, pointer);
    if (found == 0) {
      pages.incrementAndGet();
      stored(1);
      return pointer;
    }
    memory.freePage(page);
    return (long) WORD.getAcquire(segment, slot);
  }

  private long pointer(long page, int level) {
    return page | pointerBits | level * typeStep;
  }

  /** Puts levels above the root until it spans {@code iova} and stands at {@code level} or higher. */
  private synchronized boolean grow(long iova, int level) {
    int oldTop = top();
    int newTop = Math.max(oldTop, level);
    while (Long.compareUnsigned(iova, spanOf(newTop + 1) - 1) > 0) {
      newTop++;
    }
    if (newTop > lastTop) {
      throw new IllegalArgumentException("no root of level " + newTop + " for iova 0x" + Long.toHexString(iova));
    }
    long grown = rootPhys();
    for (int at = oldTop + 1; at <= newTop; at++) {
      long page = memory.allocatePage();
      if (page == TableMemory.NONE) {
        dropUnpublished(grown, at - 1 - oldTop);
        return false;
      }
      WORD.set(segment, offsetOf(page), pointer(grown, at));
      stored(1);
      grown = page;
    }
    if (newTop > oldTop) {
      VarHandle.releaseFence();
      publisher.publish(grown, newTop + 1);
      pages.addAndGet(newTop - oldTop);
      root = grown | newTop;
      spanLast = spanOf(newTop + 1) - 1;
    }
    return true;
  }

  private void dropUnpublished(long page, int count) {
    for (int i = 0; i < count; i++) {
      long below = (long) WORD.get(segment, offsetOf(page)) & TableFormat.ADDRESS_MASK;
      memory.freePage(page);
      page = below;
    }
  }

  /** Returns the span of {@code levels} levels in bytes; 0 stands for all 2^64. */
  private static long spanOf(int levels) {
    int shift = wordShift(levels);
    return shift < Long.SIZE ? 1L << shift : 0;
  }
}
