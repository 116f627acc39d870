package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;

/**
 * Holds detached table pages until the invalidation that covers them is complete.
 *
 * <p>A chain through the first word of the pages themselves: no memory of its own, any length. Does not know whose pages they are, so that a chain which is
 * empty belongs to no address space. Hardware with a stale walk cache may still read these pages; a link is a page address, whose low bits make it an entry
 * that is not present in every format. One thread at a time.
 */
public final class TablePages {
  private long head = TableMemory.NONE;
  private long count;

  /** Tells whether nothing was detached: then an invalidation of leaves is enough. */
  public boolean isEmpty() {
    return count == 0;
  }

  /** Returns how many pages wait here. */
  public long count() {
    return count;
  }

  /** Hands the pages out as one number, {@link TableMemory#NONE} for none, and forgets them; they are freed by {@link #freeChain}. */
  public long takeChain() {
    long chain = head;
    head = TableMemory.NONE;
    count = 0;
    return chain;
  }

  /** Takes back a chain of pages of {@code memory} that {@link #takeChain} handed out and that could not be passed on; this one must be empty. */
  public void putBack(TableMemory memory, long chain) {
    MemorySegment segment = memory.segment();
    long base = memory.base();
    head = chain;
    for (long page = chain; page != TableMemory.NONE; page = TableTree.word(segment, page - base)) {
      count++;
    }
  }

  /** Frees the pages of a chain that {@link #takeChain} handed out; called once an invalidation that started after the last page was detached is complete. */
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

  /** Adds a page of the memory that {@code segment} shows from physical address {@code base} on. */
  void add(MemorySegment segment, long base, long page) {
    TableTree.setWord(segment, page - base, head);
    head = page;
    count++;
  }
}
