package io.twostep.backend.debug;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * What a range of memory held when a device got it, as one sum for each of its parts: small enough that a change is found where it is, also when other parts were handed over since.
 *
 * <p>Parts lie on a grid of the memory: lines of 64 bytes, and larger ones in ranges of more than 16 MiB, up to the smallest granule. Positions are bytes from the start of the range. Used by one thread at a time.
 */
final class PartSums {
  private static final int SMALLEST = 6;
  private static final int LARGEST = 11;
  private static final int MANY = 18;
  private static final int CHUNK = 65_536;
  private static final long ODD = 0x9E3779B97F4A7C15L;

  /** Gives bytes of the range. */
  @FunctionalInterface
  interface Source {
    /** Copy {@code length} bytes from a position to the start of a segment. */
    void read(long position, MemorySegment to, long length);
  }

  /** Bytes that are not what they were. */
  record Change(long position, long length) {}

  private final long length;
  private final long lead;
  private final int shift;
  private final long[] sums;

  /** Create sums for a range of {@code length} bytes whose first byte has the low bits of {@code first}; {@link #take} fills them. */
  PartSums(long first, long length) {
    this.length = length;
    shift = Math.clamp(Long.SIZE - Long.numberOfLeadingZeros((length - 1) >>> MANY), SMALLEST, LARGEST);
    lead = first & (1L << shift) - 1;
    sums = new long[partOf(length - 1) + 1];
  }

  private int partOf(long position) {
    return (int) ((position + lead) >>> shift);
  }

  private long startOf(int part) {
    return Math.min(length, Math.max(0, ((long) part << shift) - lead));
  }

  /** Sum the parts that have bytes of {@code from .. to}. */
  void take(Source source, long from, long to) {
    int first = partOf(from);
    long[] now = sums(source, first, partOf(to - 1) + 1);
    System.arraycopy(now, 0, sums, first, now.length);
  }

  /** Compare the parts that have bytes of {@code from .. to} and none of {@code exceptFrom .. exceptTo}, and return from the first to the last that changed, cut to the range; null if none did. */
  @Nullable Change change(Source source, long from, long to, long exceptFrom, long exceptTo) {
    int first = partOf(from);
    long[] now = sums(source, first, partOf(to - 1) + 1);
    long begin = -1;
    long end = 0;
    for (int i = 0; i < now.length; i++) {
      long start = startOf(first + i);
      long next = startOf(first + i + 1);
      boolean excepted = exceptFrom < exceptTo && exceptFrom < next && exceptTo > start;
      if (now[i] != sums[first + i] && !excepted) {
        begin = begin == -1 ? Math.max(start, from) : begin;
        end = Math.min(next, to);
      }
    }
    return begin == -1 ? null : new Change(begin, end - begin);
  }

  private long[] sums(Source source, int from, int to) {
    long[] all = new long[to - from];
    long start = startOf(from);
    MemorySegment buffer = MemorySegment.ofArray(new long[(int) (Math.min(startOf(to) - start + 7, CHUNK) / 8)]);
    int most = Math.max(1, CHUNK >> shift) - 1;
    for (int part = from; part < to; ) {
      int end = Math.min(to, part + most);
      long base = startOf(part);
      source.read(base, buffer, startOf(end) - base);
      for (; part < end; part++) {
        all[part - from] = sum(buffer, startOf(part) - base, startOf(part + 1) - base);
      }
    }
    return all;
  }

  private static long sum(MemorySegment bytes, long from, long to) {
    long sum = to - from;
    long at = from;
    for (; at + 8 <= to; at += 8) {
      sum = (Long.rotateLeft(sum, 5) ^ bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, at)) * ODD;
    }
    for (; at < to; at++) {
      sum = (Long.rotateLeft(sum, 5) ^ bytes.get(ValueLayout.JAVA_BYTE, at)) * ODD;
    }
    return sum;
  }
}
