package io.twostep.dma;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.Arrays;

/** All ranges of a request at once, for a layer that copies them together. */
final class GatheredRanges {
  private long[] phys = {};
  private long[] length = {};
  private int count;
  private long bytes;
  private int kinds;

  /** Add a run of ranges. */
  void add(long[] fromPhys, long[] fromLength, int[] fromKind, int more) {
    if (more > phys.length - count) {
      int capacity = Math.addExact(count, Math.max(more, count));
      phys = Arrays.copyOf(phys, capacity);
      length = Arrays.copyOf(length, capacity);
    }
    System.arraycopy(fromPhys, 0, phys, count, more);
    System.arraycopy(fromLength, 0, length, count, more);
    count += more;
    for (int i = 0; i < more; i++) {
      bytes = Math.addExact(bytes, fromLength[i]);
      kinds |= 1 << fromKind[i];
    }
  }

  long bytes() {
    return bytes;
  }

  /** Return which {@link RangeKind}s occur, as bits {@code 1 << kind}. */
  int kinds() {
    return kinds;
  }

  void map(DmaOps ops, MappingState state, int flags, Retirement undo) {
    ops.mapGathered(state, phys, length, count, flags, undo);
  }
}
