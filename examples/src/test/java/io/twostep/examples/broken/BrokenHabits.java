package io.twostep.examples.broken;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.ArrayList;
import java.util.List;

/** Mistakes in what a backend uses for itself: memory, heap, threads, the device. */
final class BrokenHabits {
  private BrokenHabits() {}

  /** Gives its scratch memory back where all goes well only. */
  static final class LeavesScratchMemory extends Healthy {
    LeavesScratchMemory(DmaOps next, AttachContext context) {
      super(next, context);
    }

    private MemoryBlock scratch() {
      return context.machine().memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      MemoryBlock scratch = scratch();
      next.map(state, phys, length, flags, undo);
      scratch.close();
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      MemoryBlock scratch = scratch();
      next.link(state, offset, phys, length, flags, undo);
      scratch.close();
    }
  }

  /** Keeps something of every mapping until it is closed. */
  static final class HoardsMemory extends Healthy {
    private final List<MemoryBlock> hoard = new ArrayList<>();

    HoardsMemory(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      hoard.add(context.machine().memory().allocate(4096, MemoryPlacement.CONTIGUOUS));
      next.map(state, phys, length, flags, undo);
    }

    @Override
    public void close() {
      hoard.forEach(MemoryBlock::close);
      next.close();
    }
  }

  /** Writes every call down, on the heap. */
  static final class WritesCallsDown extends Healthy {
    private volatile List<Long> latest = List.of();

    WritesCallsDown(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      latest = List.of(phys, length);
      next.map(state, phys, length, flags, undo);
    }
  }

  /** Serves the thread that came first. */
  static final class BelongsToOneThread extends Healthy {
    private final Thread owner = Thread.currentThread();

    BelongsToOneThread(DmaOps next, AttachContext context) {
      super(next, context);
    }

    private void requireOwner() {
      if (Thread.currentThread() != owner) {
        throw new IllegalStateException("attached by another thread");
      }
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      requireOwner();
      next.map(state, phys, length, flags, undo);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      requireOwner();
      next.link(state, offset, phys, length, flags, undo);
    }
  }

  /** Resets the device at attach, whatever another attach of it has mapped. */
  static final class ResetsTheDevice extends Healthy {
    ResetsTheDevice(DmaOps next, AttachContext context) {
      super(next, context);
      context.slot().reset();
    }
  }

  /** Awaits nothing. */
  static final class SkipsQuiescence extends Healthy {
    SkipsQuiescence(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void quiesce() {}
  }

  /** Defers and does not say so. */
  static final class HidesLaziness extends Healthy {
    HidesLaziness(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public boolean isLazy() {
      return false;
    }
  }

  /** Flushes and counts it never. */
  static final class ForgetsItsFlushes extends Healthy {
    ForgetsItsFlushes(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public long flushesCompleted() {
      return 0;
    }
  }

  /** Links one granule more than it was asked to, where nothing is yet. */
  static final class FillsHoles extends Healthy {
    FillsHoles(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      next.link(state, offset, phys, length, flags, undo);
      if (offset + length + next.granule() <= state.length) {
        try {
          next.link(state, offset + length, phys, next.granule(), flags, undo);
        } catch (DmaMappingException e) {
          // Something is there already.
        }
      }
    }
  }

  /** Unlinks one granule more than it was asked to, where something is. */
  static final class UnlinksOneMore extends Healthy {
    UnlinksOneMore(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      next.unlink(state, offset, length, batch);
      if (offset + length + next.granule() <= state.length && next.physOf(state, offset + length) != ABSENT) {
        next.unlink(state, offset + length, next.granule(), batch);
      }
    }
  }

  /** Takes nothing out before the whole window goes. */
  static final class UnlinksNothing extends Healthy {
    UnlinksNothing(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {}
  }

  /** Links the first range of a run in the place of the last. */
  static final class RepeatsTheFirstRange extends Healthy {
    RepeatsTheFirstRange(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void linkRun(MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
      long[] wrong = phys.clone();
      wrong[to - 1] = phys[from];
      next.linkRun(state, offset, wrong, length, from, to, flags, undo);
    }
  }

  /** Answers the start of a window's granule in the place of its first byte. */
  static final class LosesLowBitsOfWindows extends Healthy {
    LosesLowBitsOfWindows(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
      next.reserve(state, 0, length + offsetInGranule, alignment, highest, flags);
      state.length = length;
    }
  }

  /** Takes memory for every attach, and keeps it where the attach fails. */
  static final class LeavesHalfAnAttach extends Healthy {
    private final MemoryBlock first;
    private final MemoryBlock second;

    LeavesHalfAnAttach(DmaOps next, AttachContext context) {
      super(next, context);
      first = context.machine().memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
      second = context.machine().memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
    }

    @Override
    public void close() {
      first.close();
      second.close();
      next.close();
    }
  }
}
