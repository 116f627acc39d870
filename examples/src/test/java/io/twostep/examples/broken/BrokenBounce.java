package io.twostep.examples.broken;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;

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

  static final class LosesSlots extends Healthy {
    LosesSlots(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {}
  }
}
