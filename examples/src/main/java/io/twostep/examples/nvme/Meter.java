package io.twostep.examples.nvme;

import java.util.concurrent.atomic.LongAdder;

/** What a stack was seen doing. Thread-safe. */
final class Meter {
  private final LongAdder iovaAllocations = new LongAdder();

  void allocated() {
    iovaAllocations.increment();
  }

  long iovaAllocations() {
    return iovaAllocations.sum();
  }
}
