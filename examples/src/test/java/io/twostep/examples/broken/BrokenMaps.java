package io.twostep.examples.broken;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.Retirement;
import java.util.LinkedHashMap;
import java.util.Map;

/** Mistakes in mapping one range. */
final class BrokenMaps {
  private BrokenMaps() {}

  static final class MapsOneGranuleMore extends Healthy {
    MapsOneGranuleMore(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      long more = length + next.granule();
      boolean there = context.machine().memory().regionOf(phys, more).kind() == MemoryKind.RAM;
      next.map(state, phys, there ? more : length, flags, undo);
    }
  }

  /** Takes every range of a request for one that the device reaches as it is. */
  static final class MapsAllInPlace extends Healthy {
    MapsAllInPlace(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public int mapInPlace(long[] phys, long[] length, int from, int to, int flags, long[] dmaAddress) {
      System.arraycopy(phys, from, dmaAddress, from, to - from);
      return to - from;
    }
  }

  static final class AlwaysWritable extends Healthy {
    AlwaysWritable(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags | MapFlags.DEVICE_WRITES, undo);
    }
  }

  static final class AlwaysReadable extends Healthy {
    AlwaysReadable(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags | MapFlags.DEVICE_READS, undo);
    }
  }

  static final class LosesLowBits extends Healthy {
    LosesLowBits(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags, undo);
      state.dmaAddress &= -next.granule();
    }
  }

  /** Answers the address of the mapping before, where one lives. */
  static final class AnswersAnEarlierAddress extends Healthy {
    private final Map<MappingState, Long> own = new LinkedHashMap<>();

    AnswersAnEarlierAddress(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags, undo);
      own.put(state, state.dmaAddress);
      state.dmaAddress = own.values().iterator().next();
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      Long real = own.remove(state);
      if (real != null) {
        state.dmaAddress = real;
      }
      next.unmap(state, batch);
    }
  }

  static final class AsksForSync extends Healthy {
    AsksForSync(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags, undo);
      state.flags |= MapFlags.NEEDS_SYNC;
    }
  }

  static final class AnswersItsOwnAddress extends Healthy {
    AnswersItsOwnAddress(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public long physOf(MappingState state, long offset) {
      return next.physOf(state, offset) == ABSENT ? ABSENT : state.dmaAddress + offset;
    }
  }
}
