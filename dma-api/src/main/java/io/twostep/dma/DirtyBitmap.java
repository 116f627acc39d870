package io.twostep.dma;

import java.util.Arrays;

/**
 * One bit for each page of an address range, set where something was written.
 *
 * <p>The page size is the caller's choice: a report in larger pieces sets all pages it touches, one in smaller pieces the page it lies in. Addresses are unsigned, and
 * the last byte may be the last there is. Used by one thread at a time.
 */
public final class DirtyBitmap {
  /** {@link #nextDirty} found nothing: all ones, which no page begins at. */
  public static final long NONE = -1L;

  private final long first;
  private final long last;
  private final int pageShift;
  private final long[] words;

  /**
   * Create a clean bitmap for {@code length} bytes from {@code first} on.
   *
   * @param first first byte, a multiple of the page size
   * @param length bytes, positive, a multiple of the page size
   * @param pageSize bytes that one bit stands for, a power of two
   * @throws IllegalArgumentException for a range that is not whole pages, wraps, or has more pages than an array of words holds
   */
  public DirtyBitmap(long first, long length, long pageSize) {
    if (pageSize <= 0 || Long.bitCount(pageSize) != 1) {
      throw new IllegalArgumentException("page size " + Hex.of(pageSize) + " of a dirty bitmap must be a power of two");
    }
    if (length <= 0 || ((first | length) & pageSize - 1) != 0 || Long.compareUnsigned(first + (length - 1), first) < 0) {
      throw new IllegalArgumentException(
          "a dirty bitmap of " + Hex.range(first, length) + " must be whole pages of " + Hex.of(pageSize) + " that do not wrap");
    }
    this.first = first;
    this.last = first + (length - 1);
    this.pageShift = Long.numberOfTrailingZeros(pageSize);
    long pages = length >>> pageShift;
    if (pages > (long) (Integer.MAX_VALUE - 8) * Long.SIZE) {
      throw new IllegalArgumentException("a dirty bitmap of " + pages + " pages is too large; use larger pages or several bitmaps");
    }
    this.words = new long[(int) ((pages + Long.SIZE - 1) >>> 6)];
  }

  /** Return the first byte it tells about. */
  public long first() {
    return first;
  }

  /** Return the bytes it tells about. */
  public long length() {
    return last - first + 1;
  }

  /** Return the bytes that one bit stands for. */
  public long pageSize() {
    return 1L << pageShift;
  }

  /** Mark every page that {@code length} bytes from {@code address} on touch, as far as they lie in the bitmap's range. */
  public void mark(long address, long length) {
    if (length <= 0) {
      throw new IllegalArgumentException("length " + length + " of what was written must be positive");
    }
    long end = address + (length - 1);
    long from = Long.compareUnsigned(address, first) < 0 ? first : address;
    long to = Long.compareUnsigned(end, last) > 0 || Long.compareUnsigned(end, address) < 0 ? last : end;
    if (Long.compareUnsigned(from, to) <= 0) {
      markPages((from - first) >>> pageShift, (to - first) >>> pageShift);
    }
  }

  private void markPages(long from, long to) {
    int firstWord = (int) (from >>> 6);
    int lastWord = (int) (to >>> 6);
    long head = -1L << from;
    long tail = -1L >>> ~to;
    if (firstWord == lastWord) {
      words[firstWord] |= head & tail;
      return;
    }
    words[firstWord] |= head;
    Arrays.fill(words, firstWord + 1, lastWord, -1L);
    words[lastWord] |= tail;
  }

  /**
   * Tell whether the page that {@code address} lies in is marked.
   *
   * @throws IllegalArgumentException for an address outside the range
   */
  public boolean isDirty(long address) {
    long page = pageOf(address);
    return (words[(int) (page >>> 6)] >>> page & 1) != 0;
  }

  /**
   * Return the address of the first marked page from the page of {@code address} on, or {@link #NONE}.
   *
   * @throws IllegalArgumentException for an address outside the range
   */
  public long nextDirty(long address) {
    long page = pageOf(address);
    int at = (int) (page >>> 6);
    long word = words[at] & -1L << page;
    while (word == 0) {
      if (++at == words.length) {
        return NONE;
      }
      word = words[at];
    }
    return first + ((((long) at << 6) + Long.numberOfTrailingZeros(word)) << pageShift);
  }

  private long pageOf(long address) {
    if (Long.compareUnsigned(address, first) < 0 || Long.compareUnsigned(address, last) > 0) {
      throw new IllegalArgumentException(Hex.of(address) + " is outside this dirty bitmap of " + Hex.range(first, length()));
    }
    return (address - first) >>> pageShift;
  }

  /** Return how many pages are marked. */
  public long dirtyPages() {
    long sum = 0;
    for (long word : words) {
      sum += Long.bitCount(word);
    }
    return sum;
  }

  /** Unmark every page. */
  public void clear() {
    Arrays.fill(words, 0);
  }
}
