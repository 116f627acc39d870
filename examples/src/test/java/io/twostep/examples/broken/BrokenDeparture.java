package io.twostep.examples.broken;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;

/** Mistakes that show when a device goes, or its mapper or its machine does, while mappings live. */
final class BrokenDeparture {
  private BrokenDeparture() {}

  /** Asks the device before it takes anything down, and the device may be gone. */
  static final class NeedsItsDevice extends Healthy {
    NeedsItsDevice(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      if (context.slot().mmio(0).read32(0) == -1) {
        throw new DmaMappingException(Reason.DETACHED, "the device does not answer");
      }
      next.unmap(state, batch);
    }
  }

  /** Defers what must not be deferred once the device is detached. */
  static final class DefersAnyway extends Healthy {
    DefersAnyway(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      Retirement lazy = new Retirement(true);
      next.unmap(state, lazy);
      lazy.complete();
    }
  }

  /** Thinks that nothing is left to do once the mapper was closed. */
  static final class EndsWithItsMapper extends Healthy {
    private boolean over;

    EndsWithItsMapper(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void mapperClosed() {
      over = true;
      next.mapperClosed();
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      if (!over) {
        next.unmap(state, batch);
      }
    }
  }

  /** Needs memory to give memory back. */
  static final class NeedsItsMachine extends Healthy {
    NeedsItsMachine(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      context.machine().memory().allocate(4096, MemoryPlacement.CONTIGUOUS).close();
      next.unmap(state, batch);
    }
  }

  /** Serves the device's latest stack only. */
  static final class ForgetsEarlierAttach extends Healthy {
    private static volatile Object latest = new Object();

    ForgetsEarlierAttach(DmaOps next, AttachContext context) {
      super(next, context);
      latest = this;
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      if (latest == this) {
        next.unmap(state, batch);
      }
    }

    @Override
    public void publish(MappingState state, long offset, long length, Retirement undo) {
      if (latest == this) {
        next.publish(state, offset, length, undo);
      }
    }
  }
}
