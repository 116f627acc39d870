package io.twostep.examples.broken;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.tck.ForwardingIommu;
import java.util.function.Consumer;

/** Mistakes in taking things down. */
final class BrokenTeardown {
  private BrokenTeardown() {}

  /** Shows hardware that only remembers what it should invalidate, as long as it is told to. */
  static Defect.World remembersInvalidation() {
    return context -> BrokenHardware.seenWith(context, Remembering::new);
  }

  private static final class Remembering extends ForwardingIommu {
    private boolean deferring;
    private long first;
    private long last;

    Remembering(TableWalkingIommu real) {
      super(real);
    }

    @Override
    public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
      if (deferring) {
        first = firstIova;
        last = lastIova;
      } else {
        super.invalidate(firstIova, lastIova, tablesChanged);
      }
    }
  }

  /** Do something while nothing that it asks to be invalidated is; for a context that was seen by {@link #remembersInvalidation}. */
  static void withoutInvalidation(AttachContext context, Runnable work) {
    Remembering hardware = (Remembering) context.space().iommu();
    hardware.deferring = true;
    try {
      work.run();
    } finally {
      hardware.deferring = false;
    }
  }

  /** Releases at once what must wait for the batch, which invalidates later. */
  static final class ReleasesEarly extends Healthy {
    ReleasesEarly(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      Remembering hardware = (Remembering) context.space().iommu();
      Retirement now = new Retirement();
      hardware.deferring = true;
      next.unmap(state, now);
      now.complete();
      hardware.deferring = false;
      batch.invalidate(hardware, hardware.first, hardware.last, true);
    }
  }

  static final class ForgetsStrict extends Healthy {
    ForgetsStrict(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags & ~MapFlags.STRICT, undo);
    }
  }

  static final class FreesLinkedLength extends Healthy {
    FreesLinkedLength(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void release(MappingState state, Retirement batch) {
      long first = next.nextLinked(state, 0, next.granule());
      state.allocated = first == ABSENT ? state.allocated : next.granule();
      next.release(state, batch);
    }
  }

  static final class ForgetsRelease extends Healthy {
    ForgetsRelease(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void release(MappingState state, Retirement batch) {
      if (next.nextLinked(state, 0, next.granule()) != ABSENT) {
        next.release(state, batch);
      }
    }
  }

  static final class KeepsNextOpen extends Healthy {
    KeepsNextOpen(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void close() {}
  }

  /** Tears mappings down at once, and windows when it comes to it. */
  static final class DefersWindows extends Healthy {
    DefersWindows(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      next.map(state, phys, length, flags | MapFlags.STRICT, undo);
    }
  }

  /** Shows hardware whose failures are swallowed, as long as they are told to be. */
  static Defect.World swallowsFailuresWhenTold() {
    return context -> BrokenHardware.seenWith(context, Swallowing::new);
  }

  private static final class Swallowing extends ForwardingIommu {
    private boolean swallows;

    Swallowing(TableWalkingIommu real) {
      super(real);
    }

    @Override
    public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
      try {
        super.invalidate(firstIova, lastIova, tablesChanged);
      } catch (RuntimeException e) {
        if (!swallows) {
          throw e;
        }
      }
    }
  }

  /** Takes what was linked for gone once it was told to go. */
  static final class ConfirmsWindowsBlindly extends Healthy {
    ConfirmsWindowsBlindly(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      blindly(now -> next.unlink(state, offset, length, now));
    }

    @Override
    public void release(MappingState state, Retirement batch) {
      blindly(now -> next.release(state, now));
    }

    private void blindly(Consumer<Retirement> teardown) {
      Swallowing hardware = (Swallowing) context.space().iommu();
      Retirement now = new Retirement();
      hardware.swallows = true;
      teardown.accept(now);
      now.complete();
      hardware.swallows = false;
    }
  }
}
