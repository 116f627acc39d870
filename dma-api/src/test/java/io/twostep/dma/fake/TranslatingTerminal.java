package io.twostep.dma.fake;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DirtyTracker;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A terminal that translates by granule: links are seen after publish only, and removals after an invalidation only. */
public class TranslatingTerminal extends FakeTerminal {
  final long granule;

  /** Whether an unlink may also fail when it has registered what to invalidate, with nothing cleared, as layers may. */
  public boolean mayRefuseLate;

  private final Map<AddressSpace, GranuleTable> tables = spaces();

  public TranslatingTerminal(Faults faults, long granule) {
    super(faults);
    this.granule = granule;
  }

  @Override
  public String name() {
    return "fake-iommu";
  }

  @Override
  public int granulesUsed() {
    return tables.values().stream().mapToInt(t -> t.iova.count()).sum();
  }

  @Override
  public DeviceView view(AddressSpace space) {
    return table(space);
  }

  /** Return how many invalidations there were in an address space. */
  public long invalidations(AddressSpace space) {
    return table(space).invalidations;
  }

  private GranuleTable table(AddressSpace space) {
    return tables.computeIfAbsent(space, s -> new GranuleTable(granule, faults));
  }

  @Override
  DmaOps makeOps(AttachContext context) {
    return new TableOps(context, table(context.space()));
  }

  class TableOps extends Ops {
    final GranuleTable table;

    TableOps(AttachContext context, GranuleTable table) {
      super(context);
      this.table = table;
    }

    @Override
    public long granule() {
      return granule;
    }

    @Override
    public long unit() {
      return granule;
    }

    @Override
    public boolean translates() {
      return true;
    }

    @Override
    public boolean reaches(long phys, long length) {
      return true;
    }

    @Override
    public @Nullable DirtyTracker dirtyTracker() {
      return table.tracker;
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      faults.hit("map");
      requireMemory(phys, length, flags);
      long mask = Math.max(granule - 1, context.limits().minAlignMask());
      allocate(state, phys & mask, length, mask == granule - 1 ? 0 : mask + 1, -1L, flags);
      write(state, 0, phys, length, flags);
      show(state, 0, length);
    }

    /** Return the first granule that was allocated: a range may start further in than a granule to keep low bits, but ends in the last. */
    final int base(MappingState state) {
      long end = state.dmaAddress + state.length + granule - 1 & -granule;
      return table.index(end - state.allocated);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      faults.hit("unmap");
      used(state);
      drop(state, batch);
    }

    @Override
    public void reserve(MappingState state, long lead, long length, long alignment, long highest, int flags) {
      faults.hit("reserve");
      requireOpen();
      allocate(state, lead, length, alignment, highest, flags);
    }

    private void allocate(MappingState state, long lead, long length, long alignment, long highest, int flags) {
      used(state);
      long bytes = lead + length + granule - 1 & -granule;
      int count = (int) Math.min(Integer.MAX_VALUE, bytes >>> table.shift);
      int natural = Integer.highestOneBit(Math.max(1, count * 2 - 1));
      int align = alignment == 0 ? natural : (int) Math.max(1, alignment >>> table.shift);
      long limit = Long.compareUnsigned(highest, context.highestAddress()) < 0 ? highest : context.highestAddress();
      long last = limit == -1L ? Long.MAX_VALUE : (limit + 1 >>> table.shift) - 1;
      int first = count > GranuleTable.GRANULES ? -1 : table.iova.allocate(count, align, last);
      if (count >= GranuleTable.GRANULES) {
        throw refuse(Reason.OUT_OF_BOUNDS, "no address space holds " + count + " granules");
      }
      if (first < 0) {
        throw refuse(Reason.IOVA_EXHAUSTED, "no room for " + count + " granules");
      }
      state.dmaAddress = ((long) first << table.shift) + lead;
      state.length = length;
      state.allocated = (long) count << table.shift;
      state.flags = flags | MapFlags.NEEDS_UNMAP;
    }

    @Override
    public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
      faults.hit("link");
      requireMemory(phys, length, flags);
      requireInside(state, offset, length);
      requireFree(state, offset, length);
      write(state, offset, phys, length, flags);
    }

    @Override
    public void linkRun(
        MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
      faults.hit("linkRun");
      long bytes = 0;
      for (int i = from; i < to; i++) {
        requireMemory(phys[i], length[i], flags);
        if ((state.dmaAddress + offset + bytes - phys[i] & granule - 1) != 0
            || (i > from && (phys[i] & granule - 1) != 0)) {
          throw new AssertionError("a run with a misaligned range was let through");
        }
        bytes += length[i];
      }
      requireInside(state, offset, bytes);
      requireFree(state, offset, bytes);
      long at = offset;
      for (int i = from; i < to; i++) {
        write(state, at, phys[i], length[i], flags);
        at += length[i];
      }
    }

    final int first(MappingState state, long offset) {
      return table.index(state.dmaAddress + offset);
    }

    final int last(MappingState state, long offset, long length) {
      return table.index(state.dmaAddress + offset + length - 1);
    }

    private void requireFree(MappingState state, long offset, long length) {
      for (int i = first(state, offset); i <= last(state, offset, length); i++) {
        if (table.written[i] != 0 || table.visible[i] != 0) {
          throw refuse(Reason.ALREADY_LINKED, "granule " + i + " is taken");
        }
      }
    }

    void write(MappingState state, long offset, long phys, long length, int flags) {
      long base = phys & -granule;
      int first = first(state, offset);
      for (int i = first; i <= last(state, offset, length); i++) {
        table.written[i] = base + ((long) (i - first) << table.shift) | flags & MapFlags.ACCESS;
      }
    }

    void show(MappingState state, long offset, long length) {
      for (int i = first(state, offset); i <= last(state, offset, length); i++) {
        if (table.written[i] != 0) {
          table.visible[i] = table.written[i];
        }
      }
    }

    @Override
    public void publish(MappingState state, long offset, long length, Retirement undo) {
      faults.hit("publish");
      requireOpen();
      requireInside(state, offset, length);
      show(state, offset, length);
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      faults.hit("unlink");
      requireOpen();
      requireInside(state, offset, length);
      requireLinked(state, offset, length);
      batch.invalidate(table, state.dmaAddress + offset, state.dmaAddress + offset + length - 1, false);
      if (mayRefuseLate) {
        faults.hit("unlink, once registered");
      }
      for (int i = first(state, offset); i <= last(state, offset, length); i++) {
        table.written[i] = 0;
      }
    }

    final void requireLinked(MappingState state, long offset, long length) {
      for (int i = first(state, offset); i <= last(state, offset, length); i++) {
        if (table.written[i] == 0) {
          throw refuse(Reason.NOT_LINKED, "granule " + i + " is a hole");
        }
      }
    }

    @Override
    public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
      faults.hit("protect");
      requireInside(state, offset, length);
      requireLinked(state, offset, length);
      for (int i = first(state, offset); i <= last(state, offset, length); i++) {
        table.written[i] = table.written[i] & ~MapFlags.ACCESS | access;
      }
      batch.invalidate(table, state.dmaAddress + offset, state.dmaAddress + offset + length - 1, false);
    }

    @Override
    public void release(MappingState state, Retirement batch) {
      faults.hit("release");
      requireOpen();
      drop(state, batch);
    }

    void drop(MappingState state, Retirement batch) {
      int count = (int) (state.allocated >>> table.shift);
      int first = base(state);
      boolean linked = false;
      for (int i = first; i < first + count; i++) {
        linked |= table.written[i] != 0 || table.visible[i] != 0;
        table.written[i] = 0;
      }
      if (linked) {
        batch.invalidate(table, (long) first << table.shift, ((long) (first + count) << table.shift) - 1, false);
      }
      batch.retire(Retirement.IOVA, this, first, count, 0);
      state.allocated = 0;
    }

    @Override
    public void retire(int phase, long a, long b, long c) {
      requireOpen();
      for (int i = (int) a; i < a + b; i++) {
        if (table.visible[i] != 0) {
          throw new AssertionError("granule " + i + " is given back while the device sees it");
        }
      }
      table.iova.free((int) a, (int) b);
    }

    @Override
    public void sync(MappingState state, long offset, long length, int toward) {}

    @Override
    public long physOf(MappingState state, long offset) {
      long address = state.dmaAddress + offset;
      long word = table.written[table.index(address)];
      return word == 0 ? ABSENT : word & -granule | address & granule - 1;
    }
  }
}
