package io.twostep.examples.broken;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/** Mistakes in copying between slots and memory. */
final class BrokenBounce {
  private BrokenBounce() {}

  static final class ForgetsCopyBack extends Healthy {
    ForgetsCopyBack(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, (flags & ~MapFlags.DEVICE_WRITES) | MapFlags.DEVICE_READS, undo);
    }
  }

  static final class CopiesBackTooMuch extends Healthy {
    CopiesBackTooMuch(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags | MapFlags.DEVICE_WRITES, undo);
    }
  }

  static final class ForgetsCopyIn extends Healthy {
    ForgetsCopyIn(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      boolean read = (flags & MapFlags.DEVICE_READS) != 0;
      next.map(state, phys, length, read ? flags : flags | DmaAttributes.OVERWRITE, undo);
    }
  }

  static final class SyncsAtTheStart extends Healthy {
    SyncsAtTheStart(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void sync(MappingState state, long offset, long length, int toward) {
      next.sync(state, 0, length, toward);
    }
  }

  static final class SyncsEverything extends Healthy {
    SyncsEverything(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void sync(MappingState state, long offset, long length, int toward) {
      next.sync(state, 0, state.length, toward);
    }
  }

  static final class SyncsTheWrongWay extends Healthy {
    SyncsTheWrongWay(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void sync(MappingState state, long offset, long length, int toward) {
      next.sync(state, offset, length, toward == TOWARD_CPU ? TOWARD_DEVICE : TOWARD_CPU);
    }
  }

  static final class BouncesWhatItMayNot extends Healthy {
    BouncesWhatItMayNot(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags & ~DmaAttributes.REQUIRE_COHERENT, undo);
    }
  }

  /** Undoes a request as if the device had had it. */
  static final class CopiesOutWhatFailed extends Healthy {
    CopiesOutWhatFailed(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      Retirement now = new Retirement();
      next.unmap(state, now);
      now.complete();
    }
  }

  /** Takes what lies around along, because cache lines are copied faster whole. */
  static final class BouncesTheNeighbours extends Healthy {
    private static final long AROUND = 64;

    BouncesTheNeighbours(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys - AROUND, length + 2 * AROUND, flags, undo);
      state.dmaAddress += AROUND;
      state.length = length;
    }

    @Override
    public void sync(MappingState state, long offset, long length, int toward) {
      next.sync(state, offset + AROUND, length, toward);
    }
  }

  /** Has memory mapped where it lies that must not be. */
  static final class BouncesNothing extends Healthy {
    BouncesNothing(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags | MapFlags.COHERENT_MEMORY, undo);
    }
  }

  static final class BouncesCoherentMemory extends Healthy {
    BouncesCoherentMemory(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags & ~MapFlags.COHERENT_MEMORY, undo);
    }
  }

  /** Stages foreign memory and never takes it back. */
  static final class ForgetsForeignMemory extends Healthy {
    ForgetsForeignMemory(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
      next.mapSegment(state, segment, (flags & ~MapFlags.DEVICE_WRITES) | MapFlags.DEVICE_READS, undo);
    }
  }

  static final class LosesSlots extends Healthy {
    LosesSlots(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {}
  }

  /** Copies foreign memory when it is mapped and unmapped, and never between. */
  static final class SyncsNoForeignMemory extends Healthy {
    private final Set<MappingState> foreign = Collections.newSetFromMap(new IdentityHashMap<>());

    SyncsNoForeignMemory(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
      next.mapSegment(state, segment, flags, undo);
      foreign.add(state);
    }

    @Override
    public void sync(MappingState state, long offset, long length, int toward) {
      if (!foreign.contains(state)) {
        next.sync(state, offset, length, toward);
      }
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      foreign.remove(state);
      next.unmap(state, batch);
    }
  }

  /** Copies all of foreign memory back that the device may write, and not in before. */
  static final class ForgetsCopyInOfForeignMemory extends Healthy {
    ForgetsCopyInOfForeignMemory(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
      boolean read = (flags & MapFlags.DEVICE_READS) != 0;
      next.mapSegment(state, segment, read ? flags : flags | DmaAttributes.OVERWRITE, undo);
    }
  }

  /** Copies foreign memory back, whoever may have written. */
  static final class WritesForeignMemoryBack extends Healthy {
    WritesForeignMemoryBack(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
      next.mapSegment(state, segment, flags | MapFlags.DEVICE_WRITES, undo);
    }
  }
}
