package io.twostep.examples.broken;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.ArrayList;
import java.util.List;

/** Mistakes in windows and what is linked into them. */
final class BrokenLinks {
  private BrokenLinks() {}

  static final class PublishesAtLink extends Healthy {
    PublishesAtLink(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      next.link(state, offset, phys, length, flags, undo);
      next.publish(state, offset, length, undo);
    }
  }

  static final class LinksReadWrite extends Healthy {
    LinksReadWrite(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      next.link(state, offset, phys, length, flags | MapFlags.ACCESS, undo);
    }
  }

  static final class ProtectsNothing extends Healthy {
    ProtectsNothing(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void protect(MappingState state, long offset, long length, int access, Retirement batch) {}
  }

  static final class IgnoresAlignment extends Healthy {
    IgnoresAlignment(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
      next.reserve(state, offsetInGranule, length, 0, highest, flags);
    }
  }

  static final class AcceptsOverlap extends Healthy {
    AcceptsOverlap(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      if (next.physOf(state, offset) != ABSENT) {
        next.unlink(state, offset, length, undo);
      }
      next.link(state, offset, phys, length, flags, undo);
    }
  }

  static final class LeavesHalfALink extends Healthy {
    LeavesHalfALink(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      long granule = next.granule();
      for (long at = 0; at < length; ) {
        long bytes = Math.min(length - at, granule - (phys + at & granule - 1));
        next.link(state, offset + at, phys + at, bytes, flags, undo);
        at += bytes;
      }
    }
  }

  static final class AcceptsHoles extends Healthy {
    AcceptsHoles(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      try {
        next.unlink(state, offset, length, batch);
      } catch (DmaMappingException e) {
        if (e.reason() != Reason.NOT_LINKED) {
          throw e;
        }
      }
    }
  }

  static final class LinksOneByOne extends Healthy {
    LinksOneByOne(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void linkRun(MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
      long at = offset;
      for (int i = from; i < to; i++) {
        next.link(state, at, phys[i], length[i], flags, undo);
        at += length[i];
      }
    }
  }

  static final class WrongReason extends Healthy {
    WrongReason(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
      try {
        next.reserve(state, offsetInGranule, length, alignment, highest, flags);
      } catch (DmaMappingException e) {
        throw new DmaMappingException(Reason.BACKEND, "no", e);
      }
    }
  }

  static final class MakesGarbage extends Healthy {
    private List<Long> linked = List.of();

    MakesGarbage(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      next.link(state, offset, phys, length, flags, undo);
      List<Long> more = new ArrayList<>(linked.size() > 8 ? List.of() : linked);
      more.add(phys);
      linked = more;
    }
  }

  /** Changes as many units as it was asked to, and not those. */
  static final class ProtectsFromTheStart extends Healthy {
    ProtectsFromTheStart(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
      next.protect(state, 0, length, access, batch);
    }
  }

  /** Changes one granule more than it was asked to, where something is linked. */
  static final class ProtectsWhatFollows extends Healthy {
    ProtectsWhatFollows(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
      boolean more = offset + length < state.length && next.physOf(state, offset + length) != ABSENT;
      next.protect(state, offset, more ? length + next.granule() : length, access, batch);
    }
  }

  /** Bounces edges of what is mapped, and forgets those of what is linked. */
  static final class LinksEdgesAsTheyAre extends Healthy {
    LinksEdgesAsTheyAre(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      next.link(state, offset, phys, length, flags | MapFlags.OWNED | MapFlags.COHERENT_MEMORY, undo);
    }

    @Override
    public void linkRun(MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
      next.linkRun(state, offset, phys, length, from, to, flags | MapFlags.OWNED | MapFlags.COHERENT_MEMORY, undo);
    }
  }

  /** Maintains caches of what is mapped, and forgets them where memory is linked. */
  static final class ForgetsCachesOfWindows extends Healthy {
    ForgetsCachesOfWindows(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highest, int flags) {
      next.reserve(state, offsetInGranule, length, alignment, highest, flags);
      state.flags &= ~MapFlags.NEEDS_SYNC;
    }
  }

  /** Hands over whatever is in the published range, also what the device has already. */
  static final class HandsOverAgain extends Healthy {
    HandsOverAgain(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void publish(MappingState state, long offset, long length, Retirement undo) {
      next.publish(state, offset, length, undo);
      next.sync(state, offset, length, TOWARD_DEVICE);
    }
  }

  /** Publishes all there is, whatever was asked for. */
  static final class HandsOverTheWholeWindow extends Healthy {
    HandsOverTheWholeWindow(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void publish(MappingState state, long offset, long length, Retirement undo) {
      next.publish(state, 0, state.length, undo);
    }
  }

  /** Looks for holes before anything changes, and then takes one piece out after the other, until one cannot be split. */
  static final class UnlinksPieceByPiece extends Healthy {
    UnlinksPieceByPiece(DmaOps next, AttachContext context) {
      super(next, context);
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      for (long at = offset; at < offset + length; at += next.unit()) {
        if (next.physOf(state, at) == ABSENT) {
          next.unlink(state, offset, length, batch);
        }
      }
      for (long at = offset; at < offset + length; at += next.unit()) {
        long rest = offset + length - at;
        try {
          next.unlink(state, at, Math.min(next.unit(), rest), batch);
        } catch (DmaMappingException e) {
          if (e.reason() != Reason.NOT_SPLITTABLE) {
            throw e;
          }
          next.unlink(state, at, rest, batch);
          return;
        }
      }
    }
  }
}
