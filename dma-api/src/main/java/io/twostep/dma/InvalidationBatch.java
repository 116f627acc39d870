package io.twostep.dma;

import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Retirement;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Lets many teardowns share one invalidation.
 *
 * <p>Teardown calls that are given a batch clear translations at once and register what must wait. Until {@link #complete} the memory is still the
 * device's and the I/O addresses stay taken. A batch belongs to one address space from its first use to the next complete, and to one thread. A
 * warm batch allocates nothing.
 */
public final class InvalidationBatch implements AutoCloseable {
  private final Retirement retirement = new Retirement();
  private @Nullable MemoryRegion[] held = new MemoryRegion[4];
  private int heldCount;

  InvalidationBatch() {}

  /** Return how many releases wait for {@link #complete}. */
  public int pending() {
    return retirement.pending();
  }

  /** Tell whether there is nothing to complete. */
  public boolean isEmpty() {
    return retirement.isEmpty() && heldCount == 0;
  }

  /**
   * Invalidate once and release everything that waited: copies out, then table pages, bounce slots and I/O addresses.
   *
   * @throws DmaMappingException QUARANTINED if the invalidation could not be confirmed; what waited, memory included, stays out of circulation
   */
  public void complete() {
    try {
      retirement.complete();
    } catch (DmaMappingException e) {
      Arrays.fill(held, 0, heldCount, null);
      heldCount = 0;
      throw e;
    }
    for (int i = 0; i < heldCount; i++) {
      MemoryRegion region = held[i];
      held[i] = null;
      if (region != null) {
        region.unpin();
      }
    }
    heldCount = 0;
  }

  /** Complete what is pending. */
  @Override
  public void close() {
    complete();
  }

  Retirement retirement() {
    return retirement;
  }

  /** Keep a region pinned until complete. */
  void hold(MemoryRegion region) {
    if (heldCount == held.length) {
      held = Arrays.copyOf(held, heldCount * 2);
    }
    held[heldCount++] = region;
  }
}
