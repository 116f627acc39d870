package io.twostep.dma;

import java.util.HashMap;
import java.util.Map;
import java.util.Map.Entry;
import java.util.TreeMap;
import java.util.TreeSet;

/** Hands out pieces of one range, the smallest free one that fits first, and joins what comes back with its free neighbours. Not thread-safe. */
final class PeerAllocator {
  /** No free piece fits. */
  static final long NONE = -1L;

  private record Free(long length, long offset) implements Comparable<Free> {
    @Override
    public int compareTo(Free other) {
      int order = Long.compare(length, other.length);
      return order != 0 ? order : Long.compare(offset, other.offset);
    }
  }

  private final TreeMap<Long, Long> freeByOffset = new TreeMap<>();
  private final TreeSet<Free> freeByLength = new TreeSet<>();
  private final Map<Long, Long> taken = new HashMap<>();
  private long freeBytes;

  PeerAllocator(long length) {
    insert(0, length);
  }

  /** Take a piece whose offset plus {@code base} lies on the alignment, a power of two; returns its offset or {@link #NONE}. */
  long allocate(long base, long length, long alignment) {
    for (Free free : freeByLength.tailSet(new Free(length, 0))) {
      long skipped = -(base + free.offset) & (alignment - 1);
      if (skipped <= free.length - length) {
        take(free, skipped, length);
        return free.offset + skipped;
      }
    }
    return NONE;
  }

  private void take(Free free, long skipped, long length) {
    remove(free);
    if (skipped != 0) {
      insert(free.offset, skipped);
    }
    long behind = free.length - skipped - length;
    if (behind != 0) {
      insert(free.offset + skipped + length, behind);
    }
    taken.put(free.offset + skipped, length);
  }

  /** Take a piece back. */
  void release(long offset) {
    Long length = taken.remove(offset);
    if (length == null) {
      throw new IllegalStateException("nothing is allocated at offset " + Hex.of(offset));
    }
    long from = offset;
    long to = offset + length;
    Entry<Long, Long> before = freeByOffset.lowerEntry(from);
    if (before != null && before.getKey() + before.getValue() == from) {
      from = before.getKey();
      remove(new Free(before.getValue(), from));
    }
    Long behind = freeByOffset.get(to);
    if (behind != null) {
      remove(new Free(behind, to));
      to += behind;
    }
    insert(from, to - from);
  }

  private void insert(long offset, long length) {
    freeByOffset.put(offset, length);
    freeByLength.add(new Free(length, offset));
    freeBytes += length;
  }

  private void remove(Free free) {
    freeByOffset.remove(free.offset);
    freeByLength.remove(free);
    freeBytes -= free.length;
  }

  long freeBytes() {
    return freeBytes;
  }

  long largestFree() {
    return freeByLength.isEmpty() ? 0 : freeByLength.last().length;
  }

  int pieces() {
    return taken.size();
  }
}
