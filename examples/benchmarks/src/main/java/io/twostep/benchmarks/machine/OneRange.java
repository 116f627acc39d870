package io.twostep.benchmarks.machine;

import io.twostep.dma.PhysRanges;

/** One physical range. */
public final class OneRange implements PhysRanges {
  private final long phys;
  private final long length;
  private boolean done;

  /** Wrap {@code length} bytes at {@code phys}. */
  public OneRange(long phys, long length) {
    this.phys = phys;
    this.length = length;
  }

  @Override
  public void rewind() {
    done = false;
  }

  @Override
  public int fill(long[] toPhys, long[] toLength) {
    if (done) {
      return 0;
    }
    done = true;
    toPhys[0] = phys;
    toLength[0] = length;
    return 1;
  }
}
