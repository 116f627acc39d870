package io.twostep.examples.compare;

import io.twostep.dma.spi.ForwardingMemory;
import io.twostep.dma.spi.PhysicalMemory;

/** A memory whose cache operations are counted. Used by one thread at a time. */
final class CountedCaches extends ForwardingMemory {
  private long cleanedLines;

  CountedCaches(PhysicalMemory real) {
    super(real);
  }

  /** Return how many lines were written back, or looked at for it. */
  long cleanedLines() {
    return cleanedLines;
  }

  @Override
  public void cleanCache(long phys, long length) {
    long line = cacheLine();
    cleanedLines += ((phys + length - 1) / line) - (phys / line) + 1;
    super.cleanCache(phys, length);
  }
}
