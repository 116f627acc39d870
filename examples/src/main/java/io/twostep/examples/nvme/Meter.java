package io.twostep.examples.nvme;

import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.OpenState;
import java.util.concurrent.atomic.LongAdder;

/** What a stack was seen doing. Thread-safe. */
public final class Meter {
  private final LongAdder iovaAllocations = new LongAdder();

  /** Create a meter that has seen nothing. */
  public Meter() {}

  /** Return a layer that goes above a stack and tells this meter. */
  public LayerBackend layer() {
    return new MeterBackend(this, new OpenState());
  }

  void allocated() {
    iovaAllocations.increment();
  }

  /** Return how many ranges of I/O addresses mappings took, from the allocator or what their handle kept. */
  public long iovaAllocations() {
    return iovaAllocations.sum();
  }
}
