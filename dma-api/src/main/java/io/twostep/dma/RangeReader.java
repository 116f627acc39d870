package io.twostep.dma;

import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Misuse;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Reads a source in runs: checks each range, holds its memory, finds out its kind, and joins ranges that are adjacent in one region.
 *
 * <p>The joined ranges of one run are in {@link #phys}, {@link #length} and {@link #kind}. Runs grow with the requests that are seen, up to a limit; only
 * the last run of a source is not full, so that a source that fits one run is read once.
 */
final class RangeReader {
  private static final int FIRST_RUN = 16;
  private static final int LONGEST_RUN_SHIFT = 8;
  private static final int LONGEST_RUN = 1 << LONGEST_RUN_SHIFT;

  /** As many ranges as are worth a look of their own. */
  private static final int PLAIN_RUN = 8;

  long[] phys = new long[FIRST_RUN];
  long[] length = new long[FIRST_RUN];
  int[] kind = new int[FIRST_RUN];

  private long[] rawPhys = new long[FIRST_RUN];
  private long[] rawLength = new long[FIRST_RUN];
  private int rawAt;
  private int rawEnd;

  /** Of the latest run: its bytes, or a negative number if they are too many to count; the bits in which any inner edge differs from 0; its kinds as bits. */
  private long bytes;

  private long innerEdges;
  private int kinds;

  /** Of a run whose beginning was taken as it is: its region, and where its last range ends. */
  private MemoryRegion plain = MemoryRegion.ABSENT;

  private long plainEnd;

  /** Whether the first range of the next run was taken already. */
  private boolean isFirstTaken;

  private @Nullable PhysRanges source;
  private @Nullable RegionPins pins;
  private boolean ended;

  /** Start at the source's first range; {@code pins} is null to look without holding. */
  void start(PhysRanges source, @Nullable RegionPins pins) {
    this.source = source;
    this.pins = pins;
    rawAt = 0;
    rawEnd = 0;
    ended = false;
    isFirstTaken = false;
    source.rewind();
  }

  /** Forget the source, so that it is not kept reachable. */
  void finish() {
    source = null;
    pins = null;
  }

  /** Tell whether the source has nothing beyond what {@link #next} returned. */
  boolean isEnded() {
    return ended;
  }

  /** Return the bytes of the latest run; negative if they are too many to count. */
  long bytes() {
    return bytes;
  }

  /** Return the bits in which any edge between two ranges of the latest run differs from 0. */
  long innerEdges() {
    return innerEdges;
  }

  /** Tell whether the latest run is local memory all of whose inner edges lie on an alignment, {@code alignMask + 1}. */
  boolean isStretch(long alignMask) {
    return (innerEdges & alignMask) == 0 && kinds == 1 << RangeKind.LOCAL && bytes > 0;
  }

  /**
   * Take a source that is one range of ordinary memory, into the first place of the arrays, by less than {@link #next} needs; false if it is anything else, and then {@link #next} returns it from its
   * first range on. Called once, before {@link #next}.
   */
  boolean takeOnly(AttachedStack stack) {
    if (!fillRaw() || rawEnd != 1) {
      return false;
    }
    long at = rawPhys[0];
    long here = rawLength[0];
    MemoryRegion region = regionOf(stack, at, here);
    if (region.kind() != MemoryKind.RAM) {
      return false;
    }
    phys[0] = at;
    length[0] = here;
    kind[0] = RangeKind.LOCAL;
    bytes = here;
    innerEdges = 0;
    kinds = 1 << RangeKind.LOCAL;
    plain = region;
    plainEnd = at + here;
    rawAt = 1;
    isFirstTaken = fillRaw();
    return !isFirstTaken;
  }

  /** Read the next run and return how many joined ranges it has; 0 at the end. */
  int next(AttachedStack stack) {
    int joined = takePlainRun(stack);
    MemoryRegion open = plain;
    long openFirst = open.first();
    long openBytes = open.length();
    int openKind = RangeKind.LOCAL;
    long openEnd = plainEnd;
    long sum = bytes;
    long sums = sum;
    long edges = innerEdges;
    int seen = kinds;
    while (fillRaw()) {
      long[] fromPhys = rawPhys;
      long[] fromLength = rawLength;
      int end = rawEnd;
      long[] toPhys = phys;
      long[] toLength = length;
      int[] toKind = kind;
      for (int i = rawAt; i < end; i++) {
        long at = fromPhys[i];
        long here = fromLength[i];
        MemoryRegion region = open;
        long offset = at - openFirst;
        if (here <= 0 || offset < 0 || here > openBytes - offset) {
          region = regionOf(stack, at, here);
        }
        if (region == open && at == openEnd) {
          toLength[joined - 1] += here;
        } else {
          if (joined == toPhys.length) {
            if (!grow()) {
              rawAt = i;
              return end(joined, sum, sums, edges, seen);
            }
            toPhys = phys;
            toLength = length;
            toKind = kind;
          }
          if (region != open || openBytes == 0) {
            open = region;
            openFirst = region.first();
            openBytes = region.length();
            openKind = region.kind() == MemoryKind.RAM ? RangeKind.LOCAL : classify(stack, pins, at, here);
            seen |= 1 << openKind;
          }
          toPhys[joined] = at;
          toLength[joined] = here;
          toKind[joined] = openKind;
          if (joined++ != 0) {
            edges |= openEnd | at;
          }
        }
        openEnd = at + here;
        sum += here;
        sums |= sum;
      }
      rawAt = end;
    }
    return end(joined, sum, sums, edges, seen);
  }

  /**
   * Take what the source gives first as it is, if it is a list of ranges of one run of ordinary memory of which no two are adjacent: a loop without a decision. Returns how many
   * ranges were taken, 0 if they have to be looked at one by one, and leaves in the fields what {@link #next} goes on with.
   */
  private int takePlainRun(AttachedStack stack) {
    if (isFirstTaken) {
      isFirstTaken = false;
      return 1;
    }
    plain = MemoryRegion.ABSENT;
    plainEnd = 0;
    bytes = 0;
    innerEdges = 0;
    kinds = 0;
    if (!fillRaw() || rawEnd - rawAt < PLAIN_RUN || rawAt != 0) {
      return 0;
    }
    MemoryRegion region = regionOf(stack, rawPhys[0], rawLength[0]);
    int count = rawEnd;
    while (phys.length < rawPhys.length) {
      grow();
    }
    if (region.kind() != MemoryKind.RAM || !isPlain(rawPhys, rawLength, phys, count, region)) {
      return 0;
    }
    long[] taken = phys;
    phys = rawPhys;
    rawPhys = taken;
    taken = length;
    length = rawLength;
    rawLength = taken;
    Arrays.fill(kind, 0, count, RangeKind.LOCAL);
    rawAt = 0;
    rawEnd = 0;
    plain = region;
    plainEnd = phys[count - 1] + length[count - 1];
    kinds = 1 << RangeKind.LOCAL;
    return count;
  }

  /**
   * Tell whether ranges are plain, and sum them up; every test is a sign bit.
   *
   * <p>Where each ends is stored in {@code ends} and read again, because a loop that compares neighbours in one array is not vectorised.
   */
  private boolean isPlain(long[] phys, long[] length, long[] ends, int count, MemoryRegion region) {
    long first = region.first();
    long limit = first + region.length();
    long outside = 0;
    long beyond = 0;
    long lengths = 0;
    long sum = 0;
    for (int i = 0; i < count; i++) {
      long at = phys[i];
      long here = length[i];
      long end = at + here;
      ends[i] = end;
      // Without the end's own distance, a range half the address space away could wrap into the region.
      outside |= (here - 1) | (at - first) | (end - first);
      beyond |= limit - end;
      lengths |= here;
      sum += here;
    }
    long adjacent = 0;
    long edges = 0;
    for (int i = 0; i < count - 1; i++) {
      long end = ends[i];
      long at = phys[i + 1];
      adjacent |= ((at ^ end) - 1) & ~(at ^ end);
      edges |= end | at;
    }
    if ((outside | beyond | adjacent) >= 0 && lengths >>> (Long.SIZE - 1 - LONGEST_RUN_SHIFT) == 0) {
      bytes = sum;
      innerEdges = edges;
      return true;
    }
    return false;
  }

  private int end(int joined, long sum, long sums, long edges, int seen) {
    bytes = sums < 0 ? -1 : sum;
    innerEdges = edges;
    kinds = seen;
    return joined;
  }

  /** Add the run of {@code count} ranges to a number that differs, almost certainly, between sources with different ranges. */
  long fold(long checksum, int count) {
    long sum = checksum;
    for (int i = 0; i < count; i++) {
      sum = (sum + phys[i]) * 0x9E3779B97F4A7C15L + length[i];
    }
    return sum;
  }

  /** Make sure that there is a range to look at; false at the end. */
  private boolean fillRaw() {
    if (rawAt < rawEnd) {
      return true;
    }
    PhysRanges from = source;
    if (from == null || ended) {
      return false;
    }
    if (rawEnd == rawPhys.length && rawEnd < LONGEST_RUN) {
      rawPhys = new long[rawEnd * 2];
      rawLength = new long[rawEnd * 2];
    }
    rawAt = 0;
    rawEnd = from.fill(rawPhys, rawLength);
    ended = rawEnd == 0;
    Objects.checkIndex(rawEnd, rawPhys.length + 1);
    return !ended;
  }

  private boolean grow() {
    int capacity = phys.length * 2;
    if (capacity > LONGEST_RUN) {
      return false;
    }
    phys = Arrays.copyOf(phys, capacity);
    length = Arrays.copyOf(length, capacity);
    kind = Arrays.copyOf(kind, capacity);
    return true;
  }

  private MemoryRegion regionOf(AttachedStack stack, long at, long bytes) {
    if (bytes <= 0 || Long.compareUnsigned(at + (bytes - 1), at) < 0) {
      stack.ops.refused(null, bytes <= 0 ? Misuse.BAD_LENGTH : Misuse.WRAPS, "map or link", at, bytes);
      throw new IllegalArgumentException(
          stack.device + ": the source has a range " + Hex.range(at, bytes) + "; lengths are positive and ranges do not wrap");
    }
    RegionPins holder = pins;
    if (holder != null) {
      return holder.pin(stack, at, bytes);
    }
    MemoryRegion region = stack.memory.regionOf(at, bytes);
    RegionPins.requireMemory(stack, region, at, bytes);
    return region;
  }

  private static int classify(AttachedStack stack, @Nullable RegionPins holder, long at, long bytes) {
    int kind = stack.ops.classify(at, bytes);
    if (holder != null) {
      holder.found(stack, kind);
    }
    if (kind == RangeKind.UNREACHABLE) {
      throw LinkableMemory.unreachable(stack, at, bytes);
    }
    return kind;
  }
}
