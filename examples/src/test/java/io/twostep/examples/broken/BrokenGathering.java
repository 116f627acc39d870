package io.twostep.examples.broken;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;

/** Mistakes in copying ranges together. */
final class BrokenGathering {
  private BrokenGathering() {}

  static final class TakesTheLastRangeFirst extends Healthy {
    TakesTheLastRangeFirst(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
      long[] otherPhys = new long[count];
      long[] otherLength = new long[count];
      for (int i = 0; i < count; i++) {
        otherPhys[i] = phys[count - 1 - i];
        otherLength[i] = length[count - 1 - i];
      }
      next.mapGathered(state, otherPhys, otherLength, count, flags, undo);
    }
  }

  static final class CopiesNothingBack extends Healthy {
    CopiesNothingBack(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
      next.mapGathered(state, phys, length, count, (flags & ~MapFlags.DEVICE_WRITES) | MapFlags.DEVICE_READS, undo);
    }
  }

  /** Takes one range of everything between the first byte and the last. */
  static final class TakesWhatLiesBetween extends Healthy {
    TakesWhatLiesBetween(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
      long bytes = 0;
      for (int i = 0; i < count; i++) {
        bytes += length[i];
      }
      next.map(state, phys[0], bytes, flags, undo);
    }
  }

  /** Copies all ranges back that the device may write, and not in before. */
  static final class CopiesNothingIn extends Healthy {
    CopiesNothingIn(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
      boolean read = (flags & MapFlags.DEVICE_READS) != 0;
      next.mapGathered(state, phys, length, count, read ? flags : flags | DmaAttributes.OVERWRITE, undo);
    }
  }
}
