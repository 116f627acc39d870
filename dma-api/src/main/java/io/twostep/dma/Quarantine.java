package io.twostep.dma;

import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What one device might still reach although it was torn down: kept out of circulation, counted and named, until a reset allows another try.
 *
 * <p>Thread-safe; touched only when something went wrong.
 */
final class Quarantine {
  private final List<Entry> entries = new ArrayList<>();
  private final List<MemoryBlock> blocks = new ArrayList<>();

  /** Keep what a failed invalidation withholds, and hold the memory of {@code pins} beside its owner. */
  synchronized void withhold(Retirement retirement, RegionPins pins, AttachedStack... stacks) {
    entries.add(new Entry(stacks, retirement, null, false, pins));
  }

  /** Keep a state that could not be torn down; {@code undo} if its device was never given it. */
  synchronized void withhold(AttachedStack stack, MappingState state, boolean window, boolean undo, RegionPins pins) {
    Retirement retirement = new Retirement();
    retirement.undo(undo);
    entries.add(new Entry(new AttachedStack[] {stack}, retirement, state, window, pins));
  }

  /** Free a block once nothing holds it any more. */
  synchronized void closeLater(MemoryBlock block) {
    blocks.add(block);
  }

  synchronized int count() {
    return entries.size();
  }

  /** Try again, and return how many remain. */
  int release() {
    HeldCompletions.hold();
    try {
      return tryRelease();
    } finally {
      HeldCompletions.release();
    }
  }

  private synchronized int tryRelease() {
    Closing closing = new Closing();
    for (Iterator<Entry> each = entries.iterator(); each.hasNext(); ) {
      Entry entry = each.next();
      if (entry.tryTearDown()) {
        each.remove();
        entry.letGo(closing);
      }
    }
    blocks.removeIf(Quarantine::tryClose);
    closing.end();
    return entries.size();
  }

  private static boolean tryClose(MemoryBlock block) {
    try {
      block.close();
      return true;
    } catch (IllegalStateException e) {
      return false;
    }
  }

  private static final class Entry {
    private final AttachedStack[] stacks;
    private final Retirement retirement;
    private final RegionPins pins = new RegionPins();
    private final boolean window;
    private @Nullable MappingState state;

    Entry(AttachedStack[] stacks, Retirement retirement, @Nullable MappingState state, boolean window, RegionPins pins) {
      this.stacks = stacks;
      for (AttachedStack stack : stacks) {
        stack.hold();
      }
      this.retirement = retirement;
      this.state = state;
      this.window = window;
      pins.shareWith(this.pins);
    }

    boolean tryTearDown() {
      try {
        MappingState owed = state;
        if (owed != null) {
          tearDown(owed);
          stacks[0].ops.forget(owed);
          state = null;
        }
        retirement.complete();
      } catch (RuntimeException e) {
        // Still not: the caller learns it from the count.
        if (state != null || !retirement.isEmpty()) {
          return false;
        }
      }
      return true;
    }

    void letGo(Closing closing) {
      closing.then(pins::releaseAll);
      for (AttachedStack stack : stacks) {
        closing.then(stack::letGo);
      }
    }

    private void tearDown(MappingState owed) {
      if (window) {
        stacks[0].ops.release(owed, retirement);
      } else {
        stacks[0].ops.unmap(owed, retirement);
      }
    }
  }
}
