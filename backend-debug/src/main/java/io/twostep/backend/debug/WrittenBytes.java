package io.twostep.backend.debug;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Tells bytes that were written from bytes that never were, in memory that is watched, by words of 8 bytes.
 *
 * <p>Watched memory is filled with a random number; a word that still holds it was not written by anyone. What a device was allowed to write counts as written from when the CPU has it back.
 * Thread-safe.
 */
final class WrittenBytes {
  private static final int WORD = 8;

  private record Watched(long phys, long length, BitSet written) {}

  private final long marker = new SplittableRandom().nextLong() | 1;
  private final TreeMap<Long, Watched> watched = new TreeMap<>(Long::compareUnsigned);
  private volatile boolean any;

  synchronized void watch(MemoryBlock block) {
    MemorySegment segment = block.segment();
    for (long at = 0; at + WORD <= segment.byteSize(); at += WORD) {
      segment.set(ValueLayout.JAVA_LONG_UNALIGNED, at, marker);
    }
    long[] phys = new long[16];
    long[] length = new long[16];
    block.ranges().rewind();
    var ranges = block.ranges();
    ranges.rewind();
    for (int count = ranges.fill(phys, length); count > 0; count = ranges.fill(phys, length)) {
      for (int i = 0; i < count; i++) {
        watched.put(phys[i], new Watched(phys[i], length[i], new BitSet()));
      }
    }
    any = true;
  }

  synchronized void unwatch(MemoryBlock block) {
    var ranges = block.ranges();
    long[] phys = new long[16];
    long[] length = new long[16];
    ranges.rewind();
    for (int count = ranges.fill(phys, length); count > 0; count = ranges.fill(phys, length)) {
      for (int i = 0; i < count; i++) {
        watched.remove(phys[i]);
      }
    }
    any = !watched.isEmpty();
  }

  /** Note that a device may have written a range. */
  void written(long phys, long length) {
    if (any) {
      mark(phys, length);
    }
  }

  private synchronized void mark(long phys, long length) {
    Watched block = holding(phys);
    if (block != null) {
      long end = Math.min(phys + length, block.phys() + block.length());
      block.written().set((int) ((phys - block.phys()) / WORD), (int) ((end - block.phys() + WORD - 1) / WORD));
    }
  }

  /** Return the first address of a range that lies in a word that nobody wrote, or -1. */
  long firstUnwritten(PhysicalMemory memory, long phys, long length) {
    return any ? search(memory, phys, length) : -1;
  }

  private synchronized long search(PhysicalMemory memory, long phys, long length) {
    Watched block = holding(phys);
    if (block == null) {
      return -1;
    }
    MemorySegment word = MemorySegment.ofArray(new long[1]);
    long end = Math.min(phys + length, block.phys() + block.length());
    for (long at = block.phys() + (phys - block.phys()) / WORD * WORD; at + WORD <= end; at += WORD) {
      if (!block.written().get((int) ((at - block.phys()) / WORD))) {
        memory.read(at, word, 0, WORD);
        if (word.get(ValueLayout.JAVA_LONG, 0) == marker) {
          return Long.compareUnsigned(at, phys) < 0 ? phys : at;
        }
      }
    }
    return -1;
  }

  private @Nullable Watched holding(long phys) {
    Map.Entry<Long, Watched> below = watched.floorEntry(phys);
    return below != null && phys - below.getKey() < below.getValue().length() ? below.getValue() : null;
  }
}
