package io.twostep.dma;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.Retirement;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Lets many teardowns share one invalidation.
 *
 * <p>A batch saves invalidations and is no stricter than the teardowns it is given: behind a lazy flush policy, plain unmaps and releases cost it no invalidation at all, and the device may reach
 * their memory for a while after {@link #complete}, as it may after an unmap without a batch. What is always strict stays so: windows, unlinking, bounced mappings, coherent memory, untrusted
 * devices, and everything after detach.
 *
 * <p>Teardown calls that are given a batch clear translations at once and register what must wait. Until {@link #complete} the memory is still the
 * device's and the I/O addresses stay taken, and the stacks involved stay open. A batch belongs to one address space from its first use to the next
 * complete, and to one thread. A warm batch allocates nothing.
 */
public final class InvalidationBatch implements AutoCloseable {
  private final Quarantine quarantine;
  private final RegionPins pins = new RegionPins();
  private Retirement retirement = new Retirement(true);
  private @Nullable AttachedStack[] stacks = new AttachedStack[1];
  private int stackCount;

  InvalidationBatch(Quarantine quarantine) {
    this.quarantine = quarantine;
  }

  /** Return how many releases wait for {@link #complete}. */
  public int pending() {
    return retirement.pending();
  }

  /** Tell whether there is nothing to complete. */
  public boolean isEmpty() {
    return retirement.isEmpty() && pins.isEmpty();
  }

  /**
   * Invalidate once and release everything that waited: copies out, then table pages, bounce slots and I/O addresses. The batch is empty afterwards, whatever
   * was thrown; but an {@link Error} that ends the proof leaves everything waiting, memory too, and the call may be repeated.
   *
   * @throws DmaMappingException QUARANTINED if the invalidation could not be confirmed: what waited, memory included, stays out of circulation
   */
  public void complete() {
    RuntimeException failure = null;
    try {
      retirement.complete();
    } catch (RuntimeException e) {
      failure = e;
      if (!retirement.isEmpty()) {
        quarantine.withhold(retirement, pins, involved());
        retirement = new Retirement(true);
      }
    }
    if (!retirement.isDeferrable()) {
      // It was made strict for a device that is gone; what comes next may be another's.
      retirement = new Retirement(true);
    }
    pins.releaseAll();
    failure = DmaHandle.join(failure, letGoOfStacks());
    if (failure != null) {
      throw failure;
    }
  }

  private AttachedStack[] involved() {
    AttachedStack[] involved = new AttachedStack[stackCount];
    for (int i = 0; i < stackCount; i++) {
      involved[i] = Objects.requireNonNull(stacks[i]);
    }
    return involved;
  }

  /** Let go of every stack, whether or not those before could be closed; returns the first failure. */
  private @Nullable RuntimeException letGoOfStacks() {
    RuntimeException failure = null;
    while (stackCount > 0) {
      AttachedStack stack = stacks[--stackCount];
      stacks[stackCount] = null;
      if (stack != null) {
        try {
          stack.letGo();
        } catch (RuntimeException e) {
          failure = DmaHandle.join(failure, e);
        }
      }
    }
    return failure;
  }

  /** Complete what is pending. */
  @Override
  public void close() {
    complete();
  }

  /**
   * Return what teardowns on {@code stack} register with, and keep the stack open until complete.
   *
   * @throws IllegalStateException if the batch holds work of another address space; nothing changed then
   */
  Retirement retirementFor(AttachedStack stack) {
    AttachedStack first = stacks[0];
    if (first != stack) {
      join(first, stack);
    }
    return retirement;
  }

  private void join(@Nullable AttachedStack first, AttachedStack stack) {
    if (first != null && first.space != stack.space && isEmpty()) {
      // A call that failed chose the address space and left nothing.
      RuntimeException failure = letGoOfStacks();
      if (failure != null) {
        throw failure;
      }
    } else if (first != null) {
      requireSameSpace(first.space, stack);
      for (int i = 1; i < stackCount; i++) {
        if (stacks[i] == stack) {
          return;
        }
      }
    }
    if (stackCount == stacks.length) {
      stacks = Arrays.copyOf(stacks, stackCount * 2);
    }
    stack.hold();
    stacks[stackCount++] = stack;
  }

  private static void requireSameSpace(AddressSpace space, AttachedStack stack) {
    if (space != stack.space) {
      throw new IllegalStateException(
          stack.device
              + ": the batch holds work of address space "
              + space.name()
              + ", the mapping is of "
              + stack.space.name()
              + "; complete it first or use one batch for each");
    }
  }

  /** The memory that stays held until complete. */
  RegionPins pins() {
    return pins;
  }
}
