package io.twostep.device.nvme;

import io.twostep.device.nvme.host.GapMask;
import io.twostep.dma.PhysRanges;

/** Looks over ranges without mapping them: how many bytes one command can describe, and what their edges are like. Stores no range. */
final class BioScan {
  private static final int RUN = 64;

  private final long[] phys = new long[RUN];
  private final long[] length = new long[RUN];

  private long bytes;
  private long first;
  private long gapMask;
  private long alignment;
  private int ranges;
  private long end;
  private boolean ended;
  private boolean apart;
  private boolean atBorder;

  /**
   * Read ranges up to {@code limit} bytes and stop before the first that one command could not describe with those before it.
   *
   * @return the bytes that can be described; less than {@code limit} also if the source ends there: see {@link #isEnded}
   */
  long scan(PhysRanges source, long limit, TransferRules rules, boolean mayMerge) {
    bytes = 0;
    gapMask = 0;
    alignment = 0;
    ranges = 0;
    end = 0;
    ended = false;
    apart = false;
    atBorder = false;
    source.rewind();
    while (bytes < limit) {
      int filled = source.fill(phys, length);
      if (filled == 0) {
        ended = true;
        break;
      }
      for (int i = 0; i < filled && bytes < limit; i++) {
        if (!add(phys[i], Math.min(length[i], limit - bytes), rules, mayMerge)) {
          return bytes;
        }
      }
    }
    return bytes;
  }

  private boolean add(long p, long n, TransferRules rules, boolean mayMerge) {
    long gaps = gapMask;
    int count = ranges;
    if (count == 0) {
      first = p;
      apart = rules.isApart(p);
      count = 1;
    } else if (rules.isApart(p) != apart) {
      atBorder = true;
      return false;
    } else if (p != end) {
      gaps |= GapMask.edge(end, p);
      count++;
    }
    long aligned = alignment | p | n;
    if (count != ranges && !rules.permits(first, gaps, aligned, count, mayMerge)) {
      return false;
    }
    gapMask = gaps;
    ranges = count;
    alignment = aligned;
    end = p + n;
    bytes += n;
    return true;
  }

  /** Return the bytes that can be described. */
  long bytes() {
    return bytes;
  }

  /** Tell whether the source ended before the limit. */
  boolean isEnded() {
    return ended;
  }

  /** Tell whether the ranges lie in the controller's own memory, which may not be mixed with other memory. */
  boolean isApart() {
    return apart;
  }

  /** Tell whether the scan stopped where such memory begins or ends. */
  boolean isAtBorder() {
    return atBorder;
  }

  long first() {
    return first;
  }

  long gapMask() {
    return gapMask;
  }

  long alignment() {
    return alignment;
  }

  int ranges() {
    return ranges;
  }
}
