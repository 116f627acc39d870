package io.twostep.examples.compare;

import io.twostep.dma.PhysRanges;

/** A part of the buffers that one I/O moves. Used by one thread at a time. */
final class Request implements PhysRanges {
  private final Placement placed;

  /** Where it begins in the buffers' bytes. */
  final long offset;

  final long length;

  private final int firstRange;
  private int range;
  private long done;

  Request(Placement placed, long offset, long length) {
    this.placed = placed;
    this.offset = offset;
    this.length = length;
    firstRange = placed.rangeAt(offset);
  }

  /** Return how many ranges it touches. */
  int ranges() {
    return placed.rangeAt(offset + length - 1) - firstRange + 1;
  }

  @Override
  public void rewind() {
    range = firstRange;
    done = 0;
  }

  @Override
  public int fill(long[] phys, long[] lengths) {
    int room = Math.min(phys.length, lengths.length);
    int count = 0;
    while (count < room && done < length) {
      long skip = offset + done - placed.offset[range];
      long piece = Math.min(length - done, placed.offset[range + 1] - placed.offset[range] - skip);
      phys[count] = placed.phys[range] + skip;
      lengths[count++] = piece;
      done += piece;
      range++;
    }
    return count;
  }
}
