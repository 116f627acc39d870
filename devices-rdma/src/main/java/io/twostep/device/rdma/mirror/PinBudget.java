package io.twostep.device.rdma.mirror;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import java.util.concurrent.atomic.AtomicLong;

/** How many bytes somebody may hold in memory. Thread-safe. */
public final class PinBudget {
  private final long limit;
  private final AtomicLong used = new AtomicLong();

  /** Create a budget of {@code limit} bytes; {@link Long#MAX_VALUE} for no limit. */
  public PinBudget(long limit) {
    if (limit < 0) {
      throw new IllegalArgumentException("a budget of " + limit + " bytes must not be negative");
    }
    this.limit = limit;
  }

  /** Return a budget that always suffices. */
  public static PinBudget unlimited() {
    return new PinBudget(Long.MAX_VALUE);
  }

  /** Return the bytes held now. */
  public long used() {
    return used.get();
  }

  void reserve(long length) {
    while (true) {
      long now = used.get();
      if (length > limit - now) {
        throw new DmaMappingException(
            Reason.PIN_LIMIT, "cannot pin " + length + " bytes: " + now + " of " + limit + " are pinned; release some, or raise the limit");
      }
      if (used.compareAndSet(now, now + length)) {
        return;
      }
    }
  }

  void release(long length) {
    used.addAndGet(-length);
  }
}
