package io.twostep.device.nvme;

import io.twostep.dma.PhysRanges;
import org.jspecify.annotations.Nullable;

/** A part of a request's ranges, by bytes: what one command of a split request moves. Stores no range. */
final class BioSlice implements PhysRanges {
  private @Nullable PhysRanges source;
  private long offset;
  private long length;
  private long toSkip;
  private long left;

  void set(PhysRanges source, long offset, long length) {
    this.source = source;
    this.offset = offset;
    this.length = length;
    left = 0;
  }

  void clear() {
    source = null;
  }

  @Override
  public void rewind() {
    PhysRanges from = source;
    if (from == null) {
      throw new IllegalStateException("no source");
    }
    left = length;
    if (offset != 0 && from instanceof SeekableRanges seekable) {
      seekable.seek(offset);
      toSkip = 0;
    } else {
      from.rewind();
      toSkip = offset;
    }
  }

  @Override
  public int fill(long[] phys, long[] lengths) {
    PhysRanges from = source;
    if (from == null) {
      throw new IllegalStateException("no source");
    }
    while (left > 0) {
      int filled = from.fill(phys, lengths);
      if (filled == 0) {
        return 0;
      }
      int kept = trim(phys, lengths, filled);
      if (kept != 0) {
        return kept;
      }
    }
    return 0;
  }

  private int trim(long[] phys, long[] lengths, int filled) {
    int first = 0;
    while (first < filled && toSkip >= lengths[first]) {
      toSkip -= lengths[first++];
    }
    if (first == filled) {
      return 0;
    }
    phys[first] += toSkip;
    lengths[first] -= toSkip;
    toSkip = 0;
    int kept = 0;
    while (first < filled && left > 0) {
      phys[kept] = phys[first];
      lengths[kept] = Math.min(lengths[first], left);
      left -= lengths[kept];
      kept++;
      first++;
    }
    return kept;
  }
}
