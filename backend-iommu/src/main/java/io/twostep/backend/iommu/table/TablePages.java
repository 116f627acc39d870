package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;

/**
 * Holds detached table pages until the invalidation that covers them is complete.
 *
 * <p>A chain through the first word of the pages themselves: no memory of its own, any length, joined in constant time.
 * Hardware with a stale walk cache may still read these pages; a link is a page address, whose low bits make it an entry
 * that is not present in every format. One thread at a time.
 */
public final class TablePages {
  private final TableMemory memory;
  private final MemorySegment segment;
  private final long base;
  private long head = TableMemory.NONE;
  private long tail = TableMemory.NONE;
  private long count;

  /** Creates an empty chain for pages of {@code memory}. */
  public TablePages(TableMemory memory) {
    this.memory = memory;
    this.segment = memory.segment();
    this.base = memory.base();
  }

  /** Tells whether nothing was detached: then an invalidation of leaves is enough. */
  public boolean isEmpty() {
    return count == 0;
  }

  /** Returns how many pages wait here. */
  public long count() {
    return count;
  }

  /** Moves all pages of {@code other}, which serves the same memory, into this chain. */
  public void takeAll(TablePages other) {
    if (other.count == 0) {
      return;
    }
    TableTree.setWord(segment, other.tail - base, head);
    tail = count == 0 ? other.tail : tail;
    head = other.head;
    count += other.count;
    other.forget();
  }

  /** Hands the pages out as one number, {@link TableMemory#NONE} for none, and forgets them; they are freed by {@link #freeChain}. */
  public long takeChain() {
    long chain = head;
    forget();
    return chain;
  }

  /** Takes back a chain that {@link #takeChain} handed out and that could not be passed on; this one must be empty. */
  public void putBack(long chain) {
    head = chain;
    for (long page = chain; page != TableMemory.NONE; page = TableTree.word(segment, page - base)) {
      tail = page;
      count++;
    }
  }

  /** Frees every page; called once an invalidation that started after the last page came here is complete. */
  public void freeAll() {
    freeChain(memory, takeChain());
  }

  /** Frees the pages of a chain that {@link #takeChain} handed out; called after the same invalidation as {@link #freeAll}. */
  public static void freeChain(TableMemory memory, long chain) {
    MemorySegment segment = memory.segment();
    long base = memory.base();
    long page = chain;
    while (page != TableMemory.NONE) {
      long next = TableTree.word(segment, page - base);
      memory.freePage(page);
      page = next;
    }
  }

  void add(long page) {
    TableTree.setWord(segment, page - base, head);
    tail = count == 0 ? page : tail;
    head = page;
    count++;
  }

  private void forget() {
    head = TableMemory.NONE;
    tail = TableMemory.NONE;
    count = 0;
  }
}
