package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import org.jspecify.annotations.Nullable;

/**
 * Reads a source in runs: checks each range, holds its memory, finds out its kind, and joins ranges that are adjacent in one region.
 *
 * <p>The joined ranges of one run are in {@link #phys}, {@link #length} and {@link #kind}. A source that fits one run is read once.
 */
final class RangeReader {
  private static final int RUN = 256;

  final long[] phys = new long[RUN + 1];
  final long[] length = new long[RUN + 1];
  final int[] kind = new int[RUN + 1];

  private final long[] rawPhys = new long[RUN];
  private final long[] rawLength = new long[RUN];

  private @Nullable PhysRanges source;
  private @Nullable AttachedStack stack;
  private @Nullable RegionPins pins;
  private @Nullable MemoryRegion openRegion;
  private long openPhys;
  private long openLength;
  private int openKind;
  private boolean ended;
  private long checksum;

  /** Start at the source's first range; {@code pins} is null to look without holding. */
  void start(PhysRanges source, AttachedStack stack, @Nullable RegionPins pins) {
    this.source = source;
    this.stack = stack;
    this.pins = pins;
    openRegion = null;
    openLength = 0;
    ended = false;
    checksum = 0;
    source.rewind();
  }

  /** Forget the source, so that it is not kept reachable. */
  void finish() {
    source = null;
    stack = null;
    pins = null;
    openRegion = null;
  }

  /** A number that differs, almost certainly, between sources with different ranges. */
  long checksum() {
    return checksum;
  }

  /** Return the joined ranges of the next run; 0 at the end. */
  int next() {
    PhysRanges from = source;
    if (from == null || ended) {
      return 0;
    }
    int joined = 0;
    while (joined == 0) {
      int filled = from.fill(rawPhys, rawLength);
      if (filled == 0) {
        ended = true;
        if (openLength != 0) {
          joined = close(joined);
        }
        return joined;
      }
      joined = join(filled);
    }
    return joined;
  }

  /** Tell whether the source has nothing beyond what {@link #next} returned; may read ahead by asking for the end. */
  boolean isEnded() {
    return ended;
  }

  private int join(int filled) {
    int joined = 0;
    long sum = checksum;
    for (int i = 0; i < filled; i++) {
      long p = rawPhys[i];
      long n = rawLength[i];
      sum = (sum + p) * 0x9E3779B97F4A7C15L + n;
      MemoryRegion region = check(p, n);
      if (region == openRegion && p == openPhys + openLength) {
        openLength += n;
        continue;
      }
      if (openLength != 0) {
        joined = close(joined);
      }
      openRegion = region;
      openPhys = p;
      openLength = n;
      openKind = region.kind() == MemoryKind.PEER ? classify(p, n) : RangeKind.LOCAL;
    }
    checksum = sum;
    return joined;
  }

  private int close(int joined) {
    phys[joined] = openPhys;
    length[joined] = openLength;
    kind[joined] = openKind;
    openLength = 0;
    openRegion = null;
    return joined + 1;
  }

  private MemoryRegion check(long p, long n) {
    AttachedStack on = stack;
    if (on == null) {
      throw new IllegalStateException("no source");
    }
    if (n <= 0 || Long.compareUnsigned(p + (n - 1), p) < 0) {
      throw new IllegalArgumentException(
          on.device + ": the source has a range " + Hex.range(p, n) + "; lengths are positive and ranges do not wrap");
    }
    RegionPins holder = pins;
    return holder == null ? on.memory.regionOf(p, n) : holder.pin(on, p, n);
  }

  private int classify(long p, long n) {
    AttachedStack on = stack;
    if (on == null) {
      throw new IllegalStateException("no source");
    }
    int found = on.ops.classify(p, n);
    if (found == RangeKind.UNREACHABLE) {
      throw new DmaMappingException(
          Reason.PEER_UNREACHABLE,
          on.device + ": peer memory " + Hex.range(p, n) + " cannot be reached by this device; nothing of the request is mapped");
    }
    return found;
  }
}
