package io.twostep.examples.broken;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Map;

/** Mistakes in what is kept for a handle's next use. */
final class BrokenKeeping {
  private BrokenKeeping() {}

  /** Keeps what it hears of states that are not used again to itself. */
  static final class ForgetsNothingBelow extends Healthy {
    ForgetsNothingBelow(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void forget(MappingState state) {}
  }

  /** Forgets states below only where their handles did not fail. */
  static final class ForgetsOnlyWhatWentWell extends Healthy {
    private final Map<MappingState, Boolean> failed = Collections.synchronizedMap(new IdentityHashMap<>());

    ForgetsOnlyWhatWentWell(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      try {
        next.map(state, phys, length, flags, undo);
      } catch (DmaMappingException e) {
        failed.put(state, true);
        throw e;
      }
    }

    @Override
    public void forget(MappingState state) {
      if (failed.remove(state) == null) {
        next.forget(state);
      }
    }
  }

  /** Has memory of its own mapped for each device, by a state that it never forgets. */
  static final class ForgetsNotItsOwnState extends Healthy {
    private final MemoryBlock memory;
    private final MappingState own;

    ForgetsNotItsOwnState(DmaOps next, AttachContext context) {
      super(next, context);
      memory = context.machine().memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
      own = new MappingState(context.layer() + 3);
      next.map(own, memory.phys(0), 4096, MapFlags.DEVICE_READS, new Retirement());
    }

    @Override
    public void close() {
      Retirement last = new Retirement();
      next.unmap(own, last);
      last.complete();
      memory.close();
      next.close();
    }
  }

  /** Takes as much again for the handle's next use when something is torn down, and has it nowhere else. */
  private abstract static class Hoards extends Healthy {
    private final Map<MappingState, MappingState> spares = Collections.synchronizedMap(new IdentityHashMap<>());

    Hoards(DmaOps next, AttachContext context) {
      super(next, context);
    }

    /** Take a spare. */
    abstract void take(MappingState spare, long length);

    abstract void giveBack(MappingState spare, Retirement now);

    final void keep(MappingState state, long length) {
      MappingState spare = new MappingState(state.layers());
      try {
        take(spare, length);
      } catch (DmaMappingException e) {
        return;
      }
      spares.put(state, spare);
    }

    final void letGo(MappingState state) {
      MappingState spare = spares.remove(state);
      if (spare != null) {
        Retirement now = new Retirement();
        giveBack(spare, now);
        now.complete();
        next.forget(spare);
      }
    }

    @Override
    public void forget(MappingState state) {
      letGo(state);
      next.forget(state);
    }
  }

  /** Has addresses ready for each idle handle. */
  static final class HoardsAddresses extends Hoards {
    HoardsAddresses(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    void take(MappingState spare, long length) {
      next.reserve(spare, 0, length, 0, -1L, MapFlags.DEVICE_READS);
    }

    @Override
    void giveBack(MappingState spare, Retirement now) {
      next.release(spare, now);
    }

    @Override
    public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
      letGo(state);
      next.reserve(state, offsetInGranule, length, alignment, highest, flags);
    }

    @Override
    public void release(MappingState state, Retirement batch) {
      long length = state.length;
      next.release(state, batch);
      keep(state, length);
    }
  }

  /** Has slots ready for each idle handle. */
  static final class HoardsSlots extends Hoards {
    private final MemoryBlock memory;

    HoardsSlots(DmaOps next, AttachContext context) {
      super(next, context);
      memory = context.machine().memory().allocate(1 << 20, MemoryPlacement.CONTIGUOUS);
    }

    @Override
    void take(MappingState spare, long length) {
      next.map(spare, memory.phys(0), Math.min(length, memory.length()), MapFlags.DEVICE_READS, new Retirement());
    }

    @Override
    void giveBack(MappingState spare, Retirement now) {
      next.unmap(spare, now);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      letGo(state);
      next.map(state, phys, length, flags, undo);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      long length = state.length;
      next.unmap(state, batch);
      keep(state, length);
    }

    @Override
    public void close() {
      memory.close();
      next.close();
    }
  }

  /** Gives the addresses of handles that are gone to nobody. */
  static final class KeepsForThoseWhoAreGone extends Healthy {
    KeepsForThoseWhoAreGone(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void forget(MappingState state) {
      if (state.length != 0) {
        try {
          next.reserve(new MappingState(state.layers()), 0, state.length, 0, -1L, MapFlags.DEVICE_READS);
        } catch (DmaMappingException e) {
          return;
        }
      }
      next.forget(state);
    }
  }
}
