package io.twostep.machine.model.iommu;

import java.util.Arrays;

/**
 * Remember which pages of an I/O address space were present when they were published.
 *
 * <p>Bitmaps of 4,096 pages in order of address, made when first needed and kept. Not thread-safe; allocates nothing in steady state.
 */
final class PublishedPages {
  /** What {@link #next} returns when there is none. */
  static final long NONE = -1;

  private static final int SHIFT = 12;
  private static final int PAGES = 1 << SHIFT;
  private static final int WORDS = PAGES / 64;

  private long[] keys = new long[16];
  private long[][] maps = new long[16][];
  private int count;
  private int recent;

  /** Tell whether a page was published and is still. */
  boolean contains(long page) {
    int at = find(page >>> SHIFT);
    return at >= 0 && (maps[at][word(page)] & 1L << page) != 0;
  }

  /** Add pages, last inclusive. */
  void add(long firstPage, long lastPage) {
    for (long page = firstPage; page <= lastPage; ) {
      long end = Math.min(lastPage, page | (PAGES - 1));
      int found = find(page >>> SHIFT);
      int at = found >= 0 ? found : insert(page >>> SHIFT, ~found);
      fill(maps[at], page, end, true);
      page = end + 1;
    }
  }

  /** Remove pages, last inclusive. */
  void remove(long firstPage, long lastPage) {
    int found = find(firstPage >>> SHIFT);
    for (int at = found >= 0 ? found : ~found; at < count && keys[at] <= lastPage >>> SHIFT; at++) {
      long start = keys[at] << SHIFT;
      fill(maps[at], Math.max(firstPage, start), Math.min(lastPage, start + PAGES - 1), false);
    }
  }

  /** Return the first published page from {@code page} to {@code lastPage}, or {@link #NONE}. */
  long next(long page, long lastPage) {
    int found = find(page >>> SHIFT);
    long from = page;
    for (int at = found >= 0 ? found : ~found; at < count && keys[at] <= lastPage >>> SHIFT; at++) {
      from = Math.max(from, keys[at] << SHIFT);
      long hit = nextIn(maps[at], keys[at] << SHIFT, from);
      if (hit != NONE) {
        return hit <= lastPage ? hit : NONE;
      }
    }
    return NONE;
  }

  /** Forget everything. */
  void clear() {
    for (int i = 0; i < count; i++) {
      Arrays.fill(maps[i], 0);
    }
  }

  private static long nextIn(long[] map, long start, long from) {
    int word = word(from);
    long bits = map[word] & -1L << from;
    while (bits == 0) {
      if (++word == WORDS) {
        return NONE;
      }
      bits = map[word];
    }
    return start + word * 64L + Long.numberOfTrailingZeros(bits);
  }

  private static void fill(long[] map, long first, long last, boolean value) {
    int from = word(first);
    int to = word(last);
    for (int w = from; w <= to; w++) {
      long mask = (w == from ? -1L << first : -1L) & (w == to ? -1L >>> ~last : -1L);
      map[w] = value ? map[w] | mask : map[w] & ~mask;
    }
  }

  private int find(long key) {
    if (recent < count && keys[recent] == key) {
      return recent;
    }
    int at = Arrays.binarySearch(keys, 0, count, key);
    if (at >= 0) {
      recent = at;
    }
    return at;
  }

  private int insert(long key, int at) {
    if (count == keys.length) {
      keys = Arrays.copyOf(keys, count * 2);
      maps = Arrays.copyOf(maps, count * 2);
    }
    System.arraycopy(keys, at, keys, at + 1, count - at);
    System.arraycopy(maps, at, maps, at + 1, count - at);
    keys[at] = key;
    maps[at] = new long[WORDS];
    count++;
    recent = at;
    return at;
  }

  private static int word(long page) {
    return (int) (page & (PAGES - 1)) >>> 6;
  }
}
