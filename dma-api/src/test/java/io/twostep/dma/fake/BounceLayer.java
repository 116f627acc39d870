package io.twostep.dma.fake;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** A layer that bounces everything but coherent memory and peers: each mapping and each link gets slots of its own. */
public final class BounceLayer implements LayerBackend {
  private final Faults faults;
  private final int slots;
  private final List<BounceOps> ops = new ArrayList<>();

  public BounceLayer(Faults faults, int slots) {
    this.faults = faults;
    this.slots = slots;
  }

  @Override
  public String name() {
    return "fake-bounce";
  }

  /** Return how many slots are taken. */
  public int slotsUsed() {
    return ops.stream().mapToInt(o -> o.usedSlots).sum();
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    faults.hit("layer attach");
    BounceOps made = new BounceOps(context, next);
    ops.add(made);
    return made;
  }

  @Override
  public void close() {}

  /** One bounced piece of a mapping or window. */
  private static final class Piece {
    int slot;
    int slotCount;
    long slotPhys;
    long phys;
    long offset;
    long length;
    int flags;
    @Nullable MemorySegment segment;
    long @Nullable [] gatheredPhys;
    long @Nullable [] gatheredLength;

    /** Whether the device owns all of it, so that publishing again copies nothing over what it wrote. */
    boolean handed;
  }

  private final class BounceOps extends FaultyOps {
    private final AttachContext context;
    private final FakeMemory memory;
    private final FakeBlock pool;
    private final long slotSize;
    private final long firstSlot;
    private final @Nullable Piece[] pieces = new Piece[slots];
    private final boolean[] used = new boolean[slots];
    private int usedSlots;

    BounceOps(AttachContext context, DmaOps next) {
      super(next, BounceLayer.this.faults);
      this.context = context;
      this.memory = (FakeMemory) context.machine().memory();
      this.slotSize = Math.max(Math.max(FakeMemory.FRAME, next.granule()), context.limits().minAlignMask() + 1);
      this.pool = (FakeBlock) memory.allocate((slots + 1) * slotSize, MemoryPlacement.CONTIGUOUS);
      this.firstSlot = pool.phys(0) + slotSize - 1 & -slotSize;
    }

    @Override
    public void close() {
      pool.close();
      next.close();
    }

    @Override
    public long maxMappingLength() {
      return slots * slotSize;
    }

    @Override
    public boolean reaches(long phys, long length) {
      return false;
    }

    private boolean passes(int flags) {
      return (flags & (MapFlags.COHERENT_MEMORY | MapFlags.PEER)) != 0;
    }

    private Piece take(long phys, long length, long offset, int flags) {
      if ((flags & DmaAttributes.REQUIRE_COHERENT) != 0) {
        throw refuse(Reason.BOUNCE_FORBIDDEN, "bouncing was forbidden");
      }
      long low = phys & slotSize - 1;
      int count = (int) Math.min(Integer.MAX_VALUE, (low + length + slotSize - 1) / slotSize);
      if (count > slots) {
        throw refuse(Reason.BOUNCE_TOO_LARGE, "needs " + count + " of " + slots + " slots");
      }
      Piece piece = new Piece();
      piece.slot = find(count);
      piece.slotCount = count;
      piece.slotPhys = firstSlot + piece.slot * slotSize + low;
      piece.phys = phys;
      piece.offset = offset;
      piece.length = length;
      piece.flags = flags;
      for (int i = 0; i < count; i++) {
        used[piece.slot + i] = true;
      }
      usedSlots += count;
      pieces[piece.slot] = piece;
      return piece;
    }

    private int find(int count) {
      int free = 0;
      for (int i = 0; i < slots; i++) {
        free = used[i] ? 0 : free + 1;
        if (free == count) {
          return i - count + 1;
        }
      }
      throw refuse(Reason.BOUNCE_EXHAUSTED, "no " + count + " slots are free");
    }

    private DmaMappingException refuse(Reason reason, String what) {
      return new DmaMappingException(reason, context.device() + ": " + what);
    }

    private void copy(Piece piece, long at, long length, boolean in) {
      MemorySegment segment = piece.segment;
      long[] parts = piece.gatheredPhys;
      long[] lengths = piece.gatheredLength;
      if (parts != null && lengths != null) {
        long begin = 0;
        for (int i = 0; i < parts.length; i++) {
          long from = Math.max(at, begin);
          long to = Math.min(at + length, begin + lengths[i]);
          if (from < to) {
            long outside = parts[i] + (from - begin);
            memory.copy(in ? outside : piece.slotPhys + from, in ? piece.slotPhys + from : outside, to - from);
          }
          begin += lengths[i];
        }
        return;
      }
      if (segment == null) {
        memory.copy(in ? piece.phys + at : piece.slotPhys + at, in ? piece.slotPhys + at : piece.phys + at, length);
        return;
      }
      for (long i = at; i < at + length; i++) {
        if (in) {
          memory.put(piece.slotPhys + i, segment.get(ValueLayout.JAVA_BYTE, i));
        } else {
          segment.set(ValueLayout.JAVA_BYTE, i, memory.get(piece.slotPhys + i));
        }
      }
    }

    private void copyIn(Piece piece, long at, long length) {
      if ((piece.flags & DmaAttributes.OVERWRITE) == 0) {
        copy(piece, at, length, true);
      }
    }

    private void giveUp(Piece piece, Retirement batch) {
      if (!batch.isUndo() && (piece.flags & MapFlags.DEVICE_WRITES) != 0) {
        batch.retire(Retirement.COPY_OUT, this, piece.slot, 0, 0);
      }
      batch.retire(Retirement.SLOTS, this, piece.slot, 0, 0);
    }

    @Override
    public void retire(int phase, long a, long b, long c) {
      Piece piece = Objects.requireNonNull(pieces[(int) a], "slot retired twice");
      if (phase == Retirement.COPY_OUT) {
        copy(piece, 0, piece.length, false);
        return;
      }
      pieces[piece.slot] = null;
      for (int i = 0; i < piece.slotCount; i++) {
        used[piece.slot + i] = false;
      }
      usedSlots -= piece.slotCount;
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      if (passes(flags)) {
        super.map(state, phys, length, flags, undo);
        return;
      }
      mapPiece(state, take(phys, length, 0, flags), undo);
    }

    @Override
    public void mapSegment(MappingState state, MemorySegment segment, int flags, Retirement undo) {
      Piece piece = take(0, segment.byteSize(), 0, flags);
      piece.segment = segment;
      mapPiece(state, piece, undo);
    }

    @Override
    public void mapGathered(MappingState state, long[] phys, long[] length, int count, int flags, Retirement undo) {
      long[] lengths = Arrays.copyOf(length, count);
      Piece piece = take(phys[0], Arrays.stream(lengths).sum(), 0, flags);
      piece.gatheredPhys = Arrays.copyOf(phys, count);
      piece.gatheredLength = lengths;
      mapPiece(state, piece, undo);
    }

    private void mapPiece(MappingState state, Piece piece, Retirement undo) {
      try {
        super.map(state, piece.slotPhys, piece.length, piece.flags | MapFlags.OWNED, undo);
      } catch (RuntimeException e) {
        undo.retire(Retirement.SLOTS, this, piece.slot, 0, 0);
        throw e;
      }
      copyIn(piece, 0, piece.length);
      boolean below = state.has(MapFlags.NEEDS_UNMAP);
      state.word(context.layer(), piece.slot + 1L | (below ? 1L << 32 : 0));
      state.flags |= MapFlags.NEEDS_SYNC | MapFlags.NEEDS_UNMAP | MapFlags.BOUNCED;
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      long word = state.word(context.layer());
      if (word == 0) {
        super.unmap(state, batch);
        return;
      }
      faults.hit("layer unmap");
      if (word >>> 32 != 0) {
        next.unmap(state, batch);
      }
      giveUp(Objects.requireNonNull(pieces[(int) word - 1]), batch);
      state.word(context.layer(), 0);
    }

    @SuppressWarnings("unchecked")
    private List<Piece> linked(MappingState state) {
      List<Piece> list = (List<Piece>) state.object(context.layer());
      if (list == null) {
        list = new ArrayList<>();
        state.object(context.layer(), list);
      }
      return list;
    }

    @Override
    public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
      if ((flags & MapFlags.WINDOW) != 0) {
        throw refuse(Reason.UNSUPPORTED, "everything is bounced, which a window cannot do");
      }
      super.reserve(state, lead, length, alignment, highest, flags);
      linked(state).clear();
      if (!passes(flags)) {
        state.flags |= MapFlags.NEEDS_SYNC | MapFlags.BOUNCED;
      }
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      if (passes(flags)) {
        super.link(state, offset, phys, length, flags, undo);
        return;
      }
      Piece piece = take(phys, length, offset, flags);
      try {
        super.link(state, offset, piece.slotPhys, length, flags | MapFlags.OWNED, undo);
      } catch (RuntimeException e) {
        undo.retire(Retirement.SLOTS, this, piece.slot, 0, 0);
        throw e;
      }
      linked(state).add(piece);
    }

    @Override
    public void linkRun(
        MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
      if (passes(flags)) {
        super.linkRun(state, offset, phys, length, from, to, flags, undo);
        return;
      }
      List<Piece> list = linked(state);
      int before = list.size();
      long at = offset;
      try {
        for (int i = from; i < to; i++) {
          link(state, at, phys[i], length[i], flags, undo);
          at += length[i];
        }
      } catch (RuntimeException e) {
        if (at != offset) {
          next.unlink(state, offset, at - offset, undo);
        }
        while (list.size() > before) {
          undo.retire(Retirement.SLOTS, this, list.removeLast().slot, 0, 0);
        }
        throw e;
      }
    }

    @Override
    public void publish(MappingState state, long offset, long length, Retirement undo) {
      super.publish(state, offset, length, undo);
      for (Piece piece : linked(state)) {
        long from = Math.max(offset, piece.offset);
        long to = Math.min(offset + length, piece.offset + piece.length);
        if (from < to && !piece.handed) {
          copyIn(piece, from - piece.offset, to - from);
          piece.handed = to - from == piece.length;
        }
      }
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      List<Piece> list = linked(state);
      List<Piece> gone = new ArrayList<>();
      for (Piece piece : list) {
        boolean begins = piece.offset >= offset && piece.offset < offset + length;
        boolean ends = piece.offset + piece.length > offset && piece.offset + piece.length <= offset + length;
        if (begins && ends) {
          gone.add(piece);
        } else if (piece.offset < offset + length && offset < piece.offset + piece.length) {
          throw refuse(Reason.NOT_SPLITTABLE, "a bounced piece cannot be cut");
        }
      }
      super.unlink(state, offset, length, batch);
      list.removeAll(gone);
      for (Piece piece : gone) {
        giveUp(piece, batch);
      }
    }

    @Override
    public void release(MappingState state, Retirement batch) {
      super.release(state, batch);
      for (Piece piece : linked(state)) {
        giveUp(piece, batch);
      }
      linked(state).clear();
    }

    @Override
    public void sync(MappingState state, long offset, long length, int toward) {
      long word = state.word(context.layer());
      if (word != 0) {
        syncPiece(Objects.requireNonNull(pieces[(int) word - 1]), offset, length, toward);
        return;
      }
      for (Piece piece : linked(state)) {
        long from = Math.max(offset, piece.offset);
        long to = Math.min(offset + length, piece.offset + piece.length);
        if (from < to) {
          syncPiece(piece, from - piece.offset, to - from, toward);
        }
      }
    }

    private void syncPiece(Piece piece, long at, long length, int toward) {
      if (toward == TOWARD_DEVICE) {
        copyIn(piece, at, length);
      } else if ((piece.flags & MapFlags.DEVICE_WRITES) != 0) {
        copy(piece, at, length, false);
      }
    }

    @Override
    public long physOf(MappingState state, long offset) {
      for (Piece piece : linked(state)) {
        if (offset >= piece.offset && offset < piece.offset + piece.length) {
          return piece.phys + (offset - piece.offset);
        }
      }
      return next.physOf(state, offset);
    }
  }
}
