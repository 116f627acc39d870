package io.twostep.examples.broken;

import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DirtyTracker;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.Map;
import java.util.WeakHashMap;
import org.jspecify.annotations.Nullable;

/** Mistakes in telling what devices wrote. */
final class BrokenTracking {
  private BrokenTracking() {}

  /** Ops that are their own tracker: right for a device that is alone in its address space. */
  private abstract static class Tracking extends Healthy implements DirtyTracker {
    private final @Nullable DirtyTracker real;

    Tracking(DmaOps next, AttachContext context) {
      super(next, context);
      real = next.dirtyTracker();
    }

    @Override
    public final @Nullable DirtyTracker dirtyTracker() {
      return real == null ? null : this;
    }

    private DirtyTracker real() {
      if (real == null) {
        throw new IllegalStateException("what is below cannot track");
      }
      return real;
    }

    @Override
    public long granularity() {
      return real().granularity();
    }

    @Override
    public void start() {
      real().start();
    }

    @Override
    public void stop() {
      real().stop();
    }

    @Override
    public void read(boolean clear, DirtyBitmap bitmap) {
      real().read(clear, bitmap);
    }
  }

  static final class ForgetsWhatItTold extends Tracking {
    ForgetsWhatItTold(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void read(boolean clear, DirtyBitmap bitmap) {
      super.read(true, bitmap);
    }
  }

  /** Clears marks in tables and leaves what hardware remembers of them, so that the next write sets none. */
  static final class KeepsCachedMarks extends Tracking {
    KeepsCachedMarks(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void read(boolean clear, DirtyBitmap bitmap) {
      BrokenTeardown.withoutInvalidation(context, () -> super.read(clear, bitmap));
    }
  }

  static final class ForgetsOnFailure extends Tracking {
    ForgetsOnFailure(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void read(boolean clear, DirtyBitmap bitmap) {
      try {
        super.read(clear, bitmap);
      } catch (RuntimeException e) {
        super.read(true, new DirtyBitmap(bitmap.first(), bitmap.length(), bitmap.pageSize()));
        throw e;
      }
    }
  }

  static final class LetsTwoTrack extends Tracking {
    LetsTwoTrack(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void start() {
      try {
        super.start();
      } catch (IllegalStateException e) {
        // The mistake: as if it were the first.
      }
    }
  }

  /** Says that the tracking which is on goes on through another stack of the device, and looks where only the first one maps. */
  static final class SeesItsFirstStackOnly extends Healthy {
    private static final Map<DirtyTracker, Deaf> TRACKERS = new WeakHashMap<>();

    private final @Nullable Deaf tracker;

    SeesItsFirstStackOnly(DmaOps next, AttachContext context) {
      super(next, context);
      DirtyTracker real = next.dirtyTracker();
      synchronized (TRACKERS) {
        tracker = real == null ? null : TRACKERS.computeIfAbsent(real, Deaf::new);
      }
      if (tracker != null) {
        tracker.stacks++;
      }
    }

    @Override
    public @Nullable DirtyTracker dirtyTracker() {
      return tracker;
    }

    private static final class Deaf implements DirtyTracker {
      private final DirtyTracker real;
      private int stacks;

      Deaf(DirtyTracker real) {
        this.real = real;
      }

      @Override
      public long granularity() {
        return real.granularity();
      }

      @Override
      public void start() {
        real.start();
      }

      @Override
      public void stop() {
        real.stop();
      }

      @Override
      public void read(boolean clear, DirtyBitmap bitmap) {
        if (stacks == 1) {
          real.read(clear, bitmap);
        }
      }
    }
  }

  /** Hides from devices of one address space that they are tracked together. */
  static final class ATrackerForEachDevice extends Tracking {
    ATrackerForEachDevice(DmaOps next, AttachContext context) {
      super(next, context);
    }
  }

  /** Takes translations out, and what was marked in them. */
  static final class DropsMarksAtUnlink extends Healthy {
    DropsMarksAtUnlink(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      next.unlink(state, offset, length, batch);
      DirtyTracker tracker = next.dirtyTracker();
      if (tracker != null) {
        tracker.read(true, new DirtyBitmap(state.dmaAddress + offset, length, next.granule()));
      }
    }
  }
}
