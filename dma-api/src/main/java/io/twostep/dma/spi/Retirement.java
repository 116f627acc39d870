package io.twostep.dma.spi;

import io.twostep.dma.DmaMappingException;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What must wait for an invalidation: the range to invalidate, and what may be released behind it, in the one safe order.
 *
 * <p>Backends clear translations, say so with {@link #invalidate}, and register what they hold with {@link #retire}; {@link #complete} invalidates
 * once and then releases phase by phase. Nothing is reused earlier. Belongs to one address space and one thread; warm
 * instances allocate nothing.
 */
public final class Retirement {
  /** Copy device-written bytes from bounce slots to the caller's memory. */
  public static final int COPY_OUT = 0;

  /** Free table pages. */
  public static final int TABLES = 1;

  /** Free bounce slots. */
  public static final int SLOTS = 2;

  /** Free I/O addresses. */
  public static final int IOVA = 3;

  /** Tell the owner of the memory. */
  public static final int OWNER = 4;

  private static final int PHASES = 5;
  private static final int STRIDE = 4;

  private @Nullable Invalidator target;
  private long first = -1L;
  private long last;
  private boolean tablesChanged;

  private long[] entries = new long[4 * STRIDE];
  private @Nullable DmaOps[] owners = new DmaOps[4];
  private int count;
  private int phasesPresent;
  private long quarantined;

  /** Create an empty retirement. */
  public Retirement() {}

  /**
   * Note that translations of a range were cleared.
   *
   * @param target the address space; the same for every call until the next {@link #complete}
   * @param firstIova first byte
   * @param lastIova last byte, inclusive
   * @param tables whether table pages were removed
   * @throws IllegalStateException if the batch already holds work of another address space
   */
  public void invalidate(Invalidator target, long firstIova, long lastIova, boolean tables) {
    if (this.target != target) {
      requireSameSpace(target);
      this.target = target;
    }
    if (Long.compareUnsigned(firstIova, first) < 0) {
      first = firstIova;
    }
    if (Long.compareUnsigned(lastIova, last) > 0) {
      last = lastIova;
    }
    tablesChanged |= tables;
  }

  private void requireSameSpace(Invalidator target) {
    if (this.target != null && this.target != target) {
      throw new IllegalStateException(
          "an invalidation batch belongs to one address space: complete it before using it with " + target);
    }
  }

  /** Register three longs to be handed to {@link DmaOps#retire} of {@code owner} once the invalidation is complete. */
  public void retire(int phase, DmaOps owner, long a, long b, long c) {
    int at = count++;
    if (at == owners.length) {
      owners = Arrays.copyOf(owners, at * 2);
      entries = Arrays.copyOf(entries, at * 2 * STRIDE);
    }
    owners[at] = owner;
    int base = at * STRIDE;
    entries[base] = phase;
    entries[base + 1] = a;
    entries[base + 2] = b;
    entries[base + 3] = c;
    phasesPresent |= 1 << phase;
  }

  /** Tell whether there is nothing to wait for. */
  public boolean isEmpty() {
    return target == null && count == 0;
  }

  /** Return how many releases wait. */
  public int pending() {
    return count;
  }

  /** Return how many releases were given up because their invalidation could not be confirmed. */
  public long quarantined() {
    return quarantined;
  }

  /**
   * Invalidate once, then release in the order of the phases; does nothing when empty.
   *
   * @throws DmaMappingException if the invalidation could not be confirmed: everything that waited stays out of circulation, counted
   */
  public void complete() {
    Invalidator invalidator = target;
    if (invalidator != null) {
      long from = first;
      long to = last;
      boolean tables = tablesChanged;
      target = null;
      first = -1L;
      last = 0;
      tablesChanged = false;
      try {
        invalidator.invalidate(from, to, tables);
      } catch (DmaMappingException e) {
        quarantined += count;
        forget();
        throw e;
      }
    }
    if (count != 0) {
      release();
    }
  }

  private void release() {
    RuntimeException failure = null;
    int present = phasesPresent;
    for (int phase = 0; phase < PHASES; phase++) {
      if ((present & 1 << phase) == 0) {
        continue;
      }
      for (int i = 0; i < count; i++) {
        int base = i * STRIDE;
        if (entries[base] == phase) {
          try {
            Objects.requireNonNull(owners[i]).retire(phase, entries[base + 1], entries[base + 2], entries[base + 3]);
          } catch (RuntimeException e) {
            failure = collect(failure, e);
          }
        }
      }
    }
    forget();
    if (failure != null) {
      throw failure;
    }
  }

  private static RuntimeException collect(@Nullable RuntimeException earlier, RuntimeException e) {
    if (earlier == null) {
      return e;
    }
    earlier.addSuppressed(e);
    return earlier;
  }

  private void forget() {
    Arrays.fill(owners, 0, count, null);
    count = 0;
    phasesPresent = 0;
  }
}
