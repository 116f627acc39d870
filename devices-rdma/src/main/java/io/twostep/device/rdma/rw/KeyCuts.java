package io.twostep.device.rdma.rw;

import io.twostep.device.rdma.umem.DmaExtents;
import org.jspecify.annotations.Nullable;

/** Cuts DMA ranges into what one key each can name: pages of 4 KiB that follow each other, with no byte left out at an inner edge. Knows nothing but numbers; reusable. */
final class KeyCuts {
  private static final int LOG_PAGE = 12;
  private static final long PAGE = 1L << LOG_PAGE;

  private DmaExtents extents = new DmaExtents();
  private int pageLimit;
  private long byteLimit;
  private int extent;
  private long offset;

  private long start;
  private long length;
  private int pages;

  /** Begin with the first byte of {@code extents}. */
  KeyCuts start(DmaExtents of, int mostPages, long mostBytes) {
    extents = of;
    pageLimit = mostPages;
    byteLimit = mostBytes;
    extent = 0;
    offset = 0;
    return this;
  }

  /** Tell whether some inner edge lies off the page, so that no key goes across it. */
  static boolean hasGap(DmaExtents extents) {
    for (int i = 1; i < extents.count(); i++) {
      if (isGap(extents.dmaAddress(i - 1) + extents.length(i - 1), extents.dmaAddress(i))) {
        return true;
      }
    }
    return false;
  }

  private static boolean isGap(long end, long next) {
    return ((end | next) & (PAGE - 1)) != 0;
  }

  /** Return how many keys there are from here on, all of which are taken. */
  int count() {
    int keys = 0;
    while (next(null)) {
      keys++;
    }
    return keys;
  }

  /** Take the next key's bytes and tell {@code sink} where they lie; false if there are no more. */
  boolean next(@Nullable RangeSink sink) {
    if (extent == extents.count()) {
      return false;
    }
    start = extents.dmaAddress(extent) + offset;
    length = 0;
    pages = 0;
    long end = start;
    while (extent < extents.count()) {
      long at = extents.dmaAddress(extent) + offset;
      long left = extents.length(extent) - offset;
      long inPage = at & (PAGE - 1);
      long room = Math.min((long) (pageLimit - pages) * PAGE - inPage, byteLimit - length);
      if (room <= 0 || (pages > 0 && isGap(end, at))) {
        break;
      }
      long taken = Math.min(left, room);
      end = at + taken;
      length += taken;
      pages += (int) ((inPage + taken + PAGE - 1) >>> LOG_PAGE);
      if (sink != null) {
        sink.range(at, taken);
      }
      if (taken < left) {
        offset += taken;
        break;
      }
      extent++;
      offset = 0;
    }
    return true;
  }

  /** Return the DMA address of the key's first byte. */
  long start() {
    return start;
  }

  /** Return the key's bytes. */
  long length() {
    return length;
  }

  /** Return the key's pages. */
  int pages() {
    return pages;
  }
}
