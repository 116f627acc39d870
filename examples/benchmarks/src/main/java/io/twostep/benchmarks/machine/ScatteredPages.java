package io.twostep.benchmarks.machine;

import io.twostep.dma.PhysRanges;
import java.util.SplittableRandom;

/** Pages of 4 KiB at random frames, no two adjacent by design of the draw; drawn once. */
public final class ScatteredPages implements PhysRanges {
  /** The addresses, in the order in which they are handed out. */
  public final long[] phys;
  private int position;

  /** Draw {@code count} frames of the machine's. */
  public ScatteredPages(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    phys = new long[count];
    for (int i = 0; i < count; i++) {
      phys[i] = BenchMachine.FIRST_FRAME + random.nextLong(BenchMachine.FRAMES) * 4096;
    }
  }

  @Override
  public void rewind() {
    position = 0;
  }

  @Override
  public int fill(long[] toPhys, long[] toLength) {
    int n = Math.min(phys.length - position, Math.min(toPhys.length, toLength.length));
    System.arraycopy(phys, position, toPhys, 0, n);
    for (int i = 0; i < n; i++) {
      toLength[i] = 4096;
    }
    position += n;
    return n;
  }
}
