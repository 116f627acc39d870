package io.twostep.dma.spi;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What must wait for an invalidation: the range to invalidate, and what may be released behind it, in the one safe order.
 *
 * <p>Backends clear translations, say so with {@link #invalidate}, and register what they hold with {@link #retire}; {@link #complete} invalidates
 * once and then releases phase by phase. Nothing is reused earlier, and what could not be invalidated is never released: it stays
 * registered, to be completed again. Belongs to one address space and one thread; warm instances allocate nothing.
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

  /** Account for what has ended: quotas, and the owner of the memory. */
  public static final int OWNER = 4;

  private static final int PHASES = 5;

  /** The phases that {@link #completeButAddresses} leaves. */
  private static final int KEPT_PHASES = 1 << IOVA | 1 << OWNER;

  private static final int STRIDE = 4;
  private static final int FIRST_CAPACITY = 4;

  private boolean deferrable;
  private boolean undo;
  private @Nullable Invalidator target;
  private long first = -1L;
  private long last;
  private boolean tablesChanged;

  private long[] entries = {};
  private @Nullable DmaOps[] owners = {};
  private int count;
  private int phasesPresent;

  /** Set by a completion that failed before anything was released, until one gets that far. */
  private boolean unproved;

  private boolean releasing;
  private boolean keepAddresses;

  /** There from the first {@link #withhold} until all of it is down. */
  private @Nullable Deque<Leftover> leftovers;

  private record Leftover(DmaOps owner, MappingState state) {}

  /** Create an empty retirement whose completion proves that nothing can reach what was cleared. */
  public Retirement() {
    this(false);
  }

  /**
   * Create an empty retirement.
   *
   * @param deferrable whether a terminal with a lazy flush policy may invalidate later than {@link #complete}: for teardowns that nobody asked to
   *     be strict
   */
  public Retirement(boolean deferrable) {
    this.deferrable = deferrable;
  }

  /** Have everything that is cleared from now on invalidated by {@link #complete}, whatever the flush policy: for the teardowns of a device that is gone. */
  public void makeStrict() {
    deferrable = false;
  }

  /** Say whether what is taken down from now on belongs to a request that is not finished, and so was never given to the device. */
  public void undo(boolean undo) {
    this.undo = undo;
  }

  /**
   * Tell whether what is taken down now was never given to the device, because its request fails: nothing of it is copied out, so that the caller's memory stays as it was.
   */
  public boolean isUndo() {
    return undo;
  }

  /** Tell whether invalidation may be left to a lazy flush policy. */
  public boolean isDeferrable() {
    return deferrable;
  }

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

  /**
   * Register three longs to be handed to {@link DmaOps#retire} of {@code owner} once the invalidation is complete.
   *
   * @param phase {@link #COPY_OUT} to {@link #OWNER}; within a phase the order of registration is kept
   * @throws IllegalStateException if called from {@link DmaOps#retire}: a release must not need another
   */
  public void retire(int phase, DmaOps owner, long a, long b, long c) {
    if (phase < 0 || phase >= PHASES) {
      throw new IllegalArgumentException("retirement phase " + phase + " must be 0.." + (PHASES - 1));
    }
    if (releasing) {
      throw new IllegalStateException("a release must not register another release; use the phases");
    }
    int at = count++;
    if (at == owners.length) {
      int capacity = Math.max(FIRST_CAPACITY, at * 2);
      owners = Arrays.copyOf(owners, capacity);
      entries = Arrays.copyOf(entries, capacity * STRIDE);
    }
    owners[at] = owner;
    int base = at * STRIDE;
    entries[base] = phase;
    entries[base + 1] = a;
    entries[base + 2] = b;
    entries[base + 3] = c;
    phasesPresent |= 1 << phase;
  }

  /**
   * Keep what a failing call made and could not take down, because the device cannot be proved away from it; for undo only.
   *
   * <p>{@link #complete} takes it down first, by {@link DmaOps#unmap}, and where that throws again everything registered here stays, and the memory of the request with it.
   *
   * @param owner whose unmap takes it down: the layer that keeps something for it, else the one below
   * @param state what is left, as {@link MappingState#moveFrom} gave it: the handle goes on with its own
   */
  public void withhold(DmaOps owner, MappingState state) {
    Deque<Leftover> all = leftovers;
    if (all == null) {
      all = new ArrayDeque<>();
      leftovers = all;
    }
    all.add(new Leftover(owner, state));
  }

  /** Tell whether there is nothing to wait for. */
  public boolean isEmpty() {
    return target == null && count == 0 && leftovers == null;
  }

  /** Return how many releases wait. */
  public int pending() {
    return count;
  }

  /**
   * Invalidate once, then release in the order of the phases; does nothing when empty.
   *
   * <p>A release that fails does not keep the others from happening; its failure is thrown at the end and the retirement is empty. A failed
   * invalidation releases nothing and leaves everything registered, so that {@link #isEmpty} tells the two apart. So does what is {@linkplain #withhold withheld} and still cannot be taken down.
   *
   * @throws DmaMappingException QUARANTINED if the invalidation could not be confirmed
   */
  public void complete() {
    try {
      if (leftovers != null) {
        takeDownLeftovers();
      }
      Invalidator invalidator = target;
      if (invalidator != null) {
        invalidate(invalidator);
        target = null;
        first = -1L;
        last = 0;
        tablesChanged = false;
      }
    } catch (RuntimeException e) {
      unproved = true;
      throw e;
    }
    unproved = false;
    if (count != 0) {
      release();
    }
  }

  /**
   * Invalidate and release as {@link #complete}, but leave what was registered for {@link #IOVA} and later phases to the next {@link #complete}.
   *
   * <p>For what is taken from a driver that does not know yet: the memory can go elsewhere, and the device meets a fault at the addresses that it still uses,
   * never the memory of who would be given them next.
   *
   * @throws DmaMappingException QUARANTINED if the invalidation could not be confirmed; {@link #isInvalidated} tells that from a release that failed
   */
  public void completeButAddresses() {
    keepAddresses = true;
    try {
      complete();
    } finally {
      keepAddresses = false;
    }
  }

  /** Tell, during {@link DmaOps#retire}, whether I/O addresses stay taken until a later completion: see {@link #completeButAddresses}. */
  public boolean keepsAddresses() {
    return keepAddresses;
  }

  /** Tell whether nothing that was cleared, or could not be, keeps the rest waiting. */
  public boolean isInvalidated() {
    return target == null && leftovers == null;
  }

  /** Tell whether the latest {@link #complete} failed to prove what was cleared gone, so that all that is registered waits for a reset and not for whoever completes it. */
  public boolean isUnproved() {
    return unproved;
  }

  private void takeDownLeftovers() {
    Deque<Leftover> all = Objects.requireNonNull(leftovers);
    for (Leftover next = all.peek(); next != null; next = all.peek()) {
      try {
        next.owner.unmap(next.state, this);
      } catch (RuntimeException e) {
        throw new DmaMappingException(
            Reason.QUARANTINED,
            "%s: 0x%x+0x%x of a failed request could not be taken down; it and %d releases are withheld until the device is reset"
                .formatted(next.owner.device(), next.state.dmaAddress, next.state.length, count),
            e);
      }
      all.remove();
      next.owner.forget(next.state);
    }
    leftovers = null;
  }

  private void invalidate(Invalidator invalidator) {
    try {
      invalidator.invalidate(first, last, tablesChanged);
    } catch (RuntimeException e) {
      throw new DmaMappingException(
          Reason.QUARANTINED,
          "translations of 0x"
              + Long.toHexString(first)
              + "..0x"
              + Long.toHexString(last)
              + " could not be proved gone; "
              + count
              + " releases are withheld until the device is reset",
          e);
    }
  }

  private void release() {
    RuntimeException failure = null;
    int kept = keepAddresses ? KEPT_PHASES : 0;
    releasing = true;
    try {
      if (count == 1 && kept == 0) {
        failure = releaseEntry(0, null);
      } else {
        for (int left = phasesPresent & ~kept; left != 0; left &= left - 1) {
          failure = release(Integer.numberOfTrailingZeros(left), failure);
        }
      }
    } finally {
      keepOnly(kept);
      releasing = false;
    }
    if (failure != null) {
      throw failure;
    }
  }

  /** Forget the entries of all but some phases. */
  private void keepOnly(int kept) {
    int rest = 0;
    for (int i = 0; kept != 0 && i < count; i++) {
      if ((kept >>> entries[i * STRIDE] & 1) != 0) {
        System.arraycopy(entries, i * STRIDE, entries, rest * STRIDE, STRIDE);
        owners[rest++] = owners[i];
      }
    }
    Arrays.fill(owners, rest, count, null);
    count = rest;
    phasesPresent &= kept;
  }

  private @Nullable RuntimeException release(int phase, @Nullable RuntimeException earlier) {
    RuntimeException failure = earlier;
    for (int i = 0; i < count; i++) {
      if (entries[i * STRIDE] == phase) {
        failure = releaseEntry(i, failure);
      }
    }
    return failure;
  }

  private @Nullable RuntimeException releaseEntry(int i, @Nullable RuntimeException earlier) {
    int base = i * STRIDE;
    try {
      Objects.requireNonNull(owners[i]).retire((int) entries[base], entries[base + 1], entries[base + 2], entries[base + 3]);
      return earlier;
    } catch (RuntimeException e) {
      if (earlier == null) {
        return e;
      }
      earlier.addSuppressed(e);
      return earlier;
    }
  }
}
