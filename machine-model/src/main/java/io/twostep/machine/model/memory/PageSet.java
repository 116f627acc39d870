package io.twostep.machine.model.memory;

/** A set of page numbers in chunks that exist once a page of theirs was added. Not thread-safe. */
final class PageSet {
  private static final int CHUNK_SHIFT = 15;
  private static final int WORDS = 1 << (CHUNK_SHIFT - 6);

  private final long[][] chunks;

  PageSet(long pages) {
    chunks = new long[(int) ((pages + (1L << CHUNK_SHIFT) - 1) >>> CHUNK_SHIFT)][];
  }

  /** Add a page; returns whether it was in the set before. */
  boolean add(long page) {
    int at = (int) (page >>> CHUNK_SHIFT);
    if (chunks[at] == null) {
      chunks[at] = new long[WORDS];
    }
    int word = (int) (page >>> 6) & (WORDS - 1);
    long bit = 1L << page;
    boolean had = (chunks[at][word] & bit) != 0;
    chunks[at][word] |= bit;
    return had;
  }
}
