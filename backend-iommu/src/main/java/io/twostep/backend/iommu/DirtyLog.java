package io.twostep.backend.iommu;

import io.twostep.backend.iommu.table.DirtyVisitor;
import io.twostep.dma.DirtyBitmap;
import java.util.Map;
import java.util.TreeMap;

/**
 * Granules that were written and not yet reported, kept apart from tables: those of translations that are gone, and of a report that is being made.
 *
 * <p>Sparse: costs nothing where nothing was written. Thread-safe.
 */
final class DirtyLog implements DirtyVisitor {
  private static final int CHUNK_SHIFT = 6;

  private final int granuleShift;

  /** A word of 64 granules by the number of its chunk. */
  private final TreeMap<Long, Long> chunks = new TreeMap<>(Long::compareUnsigned);

  DirtyLog(long granule) {
    granuleShift = Long.numberOfTrailingZeros(granule);
  }

  /** Adds what a leaf spans. */
  @Override
  public void dirty(long iova, long length) {
    add(iova, iova + (length - 1));
  }

  /** Adds [first, last]. */
  synchronized void add(long first, long last) {
    long from = first >>> granuleShift;
    long to = last >>> granuleShift;
    for (long chunk = from >>> CHUNK_SHIFT; chunk <= to >>> CHUNK_SHIFT; chunk++) {
      chunks.merge(chunk, mask(chunk, from, to), (a, b) -> a | b);
    }
  }

  private static long mask(long chunk, long from, long to) {
    long head = chunk == from >>> CHUNK_SHIFT ? -1L << from : -1L;
    long tail = chunk == to >>> CHUNK_SHIFT ? -1L >>> ~to : -1L;
    return head & tail;
  }

  synchronized boolean isEmpty() {
    return chunks.isEmpty();
  }

  synchronized void clear() {
    chunks.clear();
  }

  /** Marks what lies in the bitmap's range. */
  synchronized void mark(DirtyBitmap bitmap) {
    long first = bitmap.first();
    long last = first + (bitmap.length() - 1);
    long lastChunk = last >>> granuleShift >>> CHUNK_SHIFT;
    for (Map.Entry<Long, Long> entry : chunks.subMap(first >>> granuleShift >>> CHUNK_SHIFT, true, lastChunk, true).entrySet()) {
      long base = entry.getKey() << CHUNK_SHIFT;
      for (long left = entry.getValue(); left != 0; left &= left - 1) {
        bitmap.mark((base + Long.numberOfTrailingZeros(left)) << granuleShift, 1L << granuleShift);
      }
    }
  }

  /** Hands over to {@code other} what lies in [first, last], rounded out to granules; nothing if that is empty. */
  synchronized void moveTo(DirtyLog other, long first, long last) {
    long from = first >>> granuleShift;
    long to = last >>> granuleShift;
    if (Long.compareUnsigned(from, to) > 0) {
      return;
    }
    var part = chunks.subMap(from >>> CHUNK_SHIFT, true, to >>> CHUNK_SHIFT, true).entrySet().iterator();
    while (part.hasNext()) {
      Map.Entry<Long, Long> entry = part.next();
      long chunk = entry.getKey();
      long mask = mask(chunk, from, to);
      other.merge(chunk, entry.getValue() & mask);
      long left = entry.getValue() & ~mask;
      if (left == 0) {
        part.remove();
      } else {
        entry.setValue(left);
      }
    }
  }

  private synchronized void merge(long chunk, long granules) {
    if (granules != 0) {
      chunks.merge(chunk, granules, (a, b) -> a | b);
    }
  }

  /** Returns the first byte of the first granule; not to be asked of an empty log. */
  synchronized long first() {
    var lowest = chunks.firstEntry();
    return ((lowest.getKey() << CHUNK_SHIFT) + Long.numberOfTrailingZeros(lowest.getValue())) << granuleShift;
  }

  /** Returns the last byte of the last granule; not to be asked of an empty log. */
  synchronized long last() {
    var highest = chunks.lastEntry();
    long granule = (highest.getKey() << CHUNK_SHIFT) + (Long.SIZE - 1 - Long.numberOfLeadingZeros(highest.getValue()));
    return (granule << granuleShift) + ((1L << granuleShift) - 1);
  }
}
