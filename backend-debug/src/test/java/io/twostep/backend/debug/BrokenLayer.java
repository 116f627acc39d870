package io.twostep.backend.debug;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/** A layer below the checker that breaks the contract in one chosen way, from when it is told to. */
final class BrokenLayer implements LayerBackend {
  /** What it does wrong. */
  enum Fault {
    NONE,
    SHIFTED_ADDRESS,
    FAR_ADDRESS,
    WRONG_LENGTH,
    TOO_LITTLE,
    DROPPED_FLAGS,
    CLAIMS_SYNC,
    WRONG_EXCEPTION,
    WRONG_PHYS,
    STILL_LINKED,
    ACCEPTS_OVERLAP,
    CHANGED_ON_FAILURE,
    OTHER_GRANULE,
    BAD_UNIT,
    BAD_KIND,
    OVERWRITES_WORD,
    SAME_ADDRESS,
    FORGETS_SYNC,
    LOSES_TRANSLATION,
    EXPOSES_EDGES,
    CANNOT_SPLIT,
    UNMAPS_AND_THROWS,
    DENIES_TRANSLATION
  }

  private final boolean fromTheStart;
  private final Fault fault;
  private boolean on;
  private @Nullable Long address;
  private @Nullable MappingState latest;
  private @Nullable Runnable meanwhile;

  /** Create a layer that is honest until {@link #begin}. */
  BrokenLayer(Fault fault) {
    this(fault, false);
  }

  BrokenLayer(Fault fault, boolean fromTheStart) {
    this.fault = fault;
    this.fromTheStart = fromTheStart;
    on = fromTheStart;
  }

  void begin() {
    on = true;
  }

  /** Overwrites the word that the layer above, the first one, has in the latest state. */
  void overwrite() {
    if (latest != null) {
      latest.word(0, 77);
    }
  }

  void answerAddress(long dmaAddress) {
    address = dmaAddress;
  }

  /** Have something happen between what the next unmap does and its failure. */
  void meanwhile(Runnable task) {
    meanwhile = task;
  }

  private boolean does(Fault wanted) {
    return on && fault == wanted;
  }

  @Override
  public String name() {
    return fromTheStart ? "broken" : "breaking";
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    return new BrokenOps(next);
  }

  @Override
  public void close() {}

  private final class BrokenOps extends ForwardingOps {
    BrokenOps(DmaOps next) {
      super(next);
    }

    @Override
    public long granule() {
      return does(Fault.OTHER_GRANULE) ? 2 * super.granule() : super.granule();
    }

    @Override
    public long unit() {
      return does(Fault.BAD_UNIT) ? 3 : super.unit();
    }

    @Override
    public boolean translates() {
      return !does(Fault.DENIES_TRANSLATION) && super.translates();
    }

    @Override
    public int classify(long phys, long length) {
      return does(Fault.BAD_KIND) ? 42 : super.classify(phys, length);
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      if (does(Fault.WRONG_EXCEPTION)) {
        throw new UnsupportedOperationException("not today");
      }
      super.map(state, phys, length, does(Fault.EXPOSES_EDGES) ? flags | MapFlags.OWNED : flags, undo);
      answer(state);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      super.unmap(state, batch);
      Runnable task = meanwhile;
      meanwhile = null;
      if (does(Fault.UNMAPS_AND_THROWS) && task != null) {
        task.run();
        throw new DmaMappingException(Reason.BACKEND, "too late to say so");
      }
    }

    @Override
    public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
      super.reserve(state, lead, length, alignment, highest, flags);
      answer(state);
    }

    private void answer(MappingState state) {
      if (!on) {
        return;
      }
      switch (fault) {
        case SHIFTED_ADDRESS -> state.dmaAddress += 8;
        case FAR_ADDRESS -> state.dmaAddress |= 1L << 62;
        case WRONG_LENGTH -> state.length += 1;
        case TOO_LITTLE -> state.allocated = 1;
        case DROPPED_FLAGS -> state.flags &= ~MapFlags.ACCESS;
        case CLAIMS_SYNC -> state.flags |= MapFlags.NEEDS_SYNC;
        case FORGETS_SYNC -> state.flags &= ~MapFlags.NEEDS_SYNC;
        // Where a bounce layer lies below, its work is denied; where none does, map passed the edges off as a layer's own.
        case EXPOSES_EDGES -> state.flags &= ~MapFlags.BOUNCED;
        case OVERWRITES_WORD -> latest = state;
        case SAME_ADDRESS, UNMAPS_AND_THROWS -> {
          if (address != null) {
            state.dmaAddress = address;
          }
        }
        default -> {}
      }
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      if (does(Fault.ACCEPTS_OVERLAP)) {
        return;
      }
      super.link(state, offset, phys, length, flags, undo);
      if (does(Fault.CHANGED_ON_FAILURE)) {
        throw new DmaMappingException(Reason.BACKEND, "changed my mind");
      }
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      if (does(Fault.CANNOT_SPLIT)) {
        throw new DmaMappingException(Reason.NOT_SPLITTABLE, "one piece");
      }
      if (!does(Fault.STILL_LINKED)) {
        super.unlink(state, offset, length, batch);
      }
    }

    @Override
    public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
      super.protect(state, offset, length, does(Fault.LOSES_TRANSLATION) ? MapFlags.DEVICE_WRITES : access, batch);
    }

    @Override
    public long physOf(MappingState state, long offset) {
      long phys = super.physOf(state, offset);
      return does(Fault.WRONG_PHYS) && phys != ABSENT ? phys ^ 0x1000 : phys;
    }
  }
}
