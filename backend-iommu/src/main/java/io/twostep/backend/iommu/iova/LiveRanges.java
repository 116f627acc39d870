package io.twostep.backend.iommu.iova;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Remember the exact size of every live range, so that a free that does not match an allocation is refused.
 *
 * <p>A hash table finds the {@linkplain LiveChunk block} of a range. Blocks come into being with the first range inside
 * them and stay. As live ranges lie close together, so do the numbers of their blocks: taken as they are they do not
 * collide, and the search mostly ends where it begins.
 *
 * <p>Ranges are marked and cleared by their owners without locks. Of any number of threads that clear the same range,
 * however close together, one succeeds.
 */
final class LiveRanges {
  private static final int LEAST_PLACES = 16;

  /** A power of two of places, at most half of them used; replaced when it grows, never emptied. */
  private @Nullable LiveChunk[] table = new LiveChunk[LEAST_PLACES];
  private int chunks;

  /** Record a range of an {@linkplain RangeSize#order order}; allocates memory only where no range ever lived near it. */
  void mark(long start, long size, int order) {
    LiveChunk chunk = find(table, start >>> LiveChunk.ORDER);
    (chunk != null ? chunk : findOrCreate(start >>> LiveChunk.ORDER)).mark(start, size, order);
  }

  /** Forget a range if exactly this one is live. */
  boolean tryClear(long start, long size, int order) {
    LiveChunk chunk = chunk(start);
    return chunk != null && chunk.tryClear(start, size, order);
  }

  /** As {@link #tryClear}, for a range that nobody else clears meanwhile. */
  boolean tryClearOwned(long start, long size, int order) {
    LiveChunk chunk = chunk(start);
    return chunk != null && chunk.tryClearOwned(start, size, order);
  }

  /** Look up the size of the live range that starts here, or 0. */
  long sizeAt(long start) {
    LiveChunk chunk = chunk(start);
    return chunk == null ? 0 : chunk.sizeAt(start);
  }

  /** Visit what is live, by address; exact only while nobody allocates or frees. */
  void forEach(LiveRangeVisitor visitor) {
    List<LiveChunk> sorted = new ArrayList<>();
    for (LiveChunk chunk : snapshot()) {
      if (chunk != null) {
        sorted.add(chunk);
      }
    }
    sorted.sort(Comparator.comparingLong(chunk -> chunk.number));
    for (LiveChunk chunk : sorted) {
      chunk.forEach(visitor);
    }
  }

  private @Nullable LiveChunk chunk(long start) {
    LiveChunk chunk = find(table, start >>> LiveChunk.ORDER);
    return chunk != null ? chunk : findCreated(start >>> LiveChunk.ORDER);
  }

  /**
   * Search without a lock. What another thread has just added may be missed, so nothing found means only that the lock
   * has to tell; a block that is found is whole, since its fields are final.
   */
  private static @Nullable LiveChunk find(@Nullable LiveChunk[] table, long number) {
    int mask = table.length - 1;
    int place = (int) number & mask;
    LiveChunk chunk = table[place];
    while (chunk != null && chunk.number != number) {
      place = (place + 1) & mask;
      chunk = table[place];
    }
    return chunk;
  }

  private synchronized @Nullable LiveChunk findCreated(long number) {
    return find(table, number);
  }

  private synchronized @Nullable LiveChunk[] snapshot() {
    return table.clone();
  }

  private synchronized LiveChunk findOrCreate(long number) {
    LiveChunk chunk = find(table, number);
    if (chunk == null) {
      chunk = new LiveChunk(number);
      if (2 * chunks >= table.length) {
        table = grown();
      }
      add(table, chunk);
      chunks++;
    }
    return chunk;
  }

  private @Nullable LiveChunk[] grown() {
    @Nullable LiveChunk[] larger = new LiveChunk[2 * table.length];
    for (LiveChunk chunk : table) {
      if (chunk != null) {
        add(larger, chunk);
      }
    }
    return larger;
  }

  private static void add(@Nullable LiveChunk[] table, LiveChunk chunk) {
    int place = (int) chunk.number & (table.length - 1);
    while (table[place] != null) {
      place = (place + 1) & (table.length - 1);
    }
    table[place] = chunk;
  }
}
