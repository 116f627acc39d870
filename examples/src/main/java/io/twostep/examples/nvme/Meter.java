package io.twostep.examples.nvme;

import java.util.concurrent.atomic.LongAdder;

/** What a stack was seen doing. Thread-safe. */
final class Meter {
  private final LongAdder iovaAllocations = new LongAdder();
  private final LongAdder bouncedBytes = new LongAdder();

  void allocated() {
    iovaAllocations.increment();
  }

  void bounced(long bytes) {
    bouncedBytes.add(bytes);
  }

  long iovaAllocations() {
    return iovaAllocations.sum();
  }

  long bouncedBytes() {
    return bouncedBytes.sum();
  }
}
