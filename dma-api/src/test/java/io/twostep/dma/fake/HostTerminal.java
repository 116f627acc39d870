package io.twostep.dma.fake;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DirtyTracker;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/**
 * A terminal over a host that maps whole runs on request and never cuts one: runs are formed within one link, mapped by publish, and unmapped at once.
 */
public final class HostTerminal extends TranslatingTerminal {
  private final int slots;
  private int mapped;

  public HostTerminal(Faults faults, long granule, int slots) {
    super(faults, granule);
    this.slots = slots;
  }

  @Override
  public String name() {
    return "fake-host";
  }

  /** Return how many runs the host has mapped. */
  public int runs() {
    return mapped;
  }

  @Override
  DmaOps makeOps(AttachContext context) {
    return new HostOps(context, (GranuleTable) view(context.space()));
  }

  private final class HostOps extends TableOps {
    HostOps(AttachContext context, GranuleTable table) {
      super(context, table);
    }

    @Override
    public @Nullable DirtyTracker dirtyTracker() {
      return null;
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      super.map(state, phys, length, flags, undo);
      try {
        hide(state, 0, length);
        publishRuns(state, 0, length);
      } catch (RuntimeException e) {
        drop(state, undo);
        throw e;
      }
    }

    private void hide(MappingState state, long offset, long length) {
      for (int i = first(state, offset); i <= last(state, offset, length); i++) {
        table.visible[i] = 0;
      }
    }

    /** Begin a run at the first granule of what was linked, and wherever physical addresses jump or a unit of a window begins. */
    @Override
    void write(MappingState state, long offset, long phys, long length, int flags) {
      super.write(state, offset, phys, length, flags);
      int first = first(state, offset);
      long unit = (flags & MapFlags.WINDOW) != 0 ? state.maxLeaf >>> table.shift : Long.MAX_VALUE;
      for (int i = first; i <= last(state, offset, length); i++) {
        table.runs[i] = i == first || (i - first) % unit == 0 ? i : table.runs[i - 1];
      }
    }

    @Override
    public void linkRun(
        MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
      super.linkRun(state, offset, phys, length, from, to, flags, undo);
      long at = offset;
      for (int i = from; i < to; i++) {
        int first = first(state, at);
        if (i > from && (flags & MapFlags.WINDOW) == 0 && phys[i] == phys[i - 1] + length[i - 1]) {
          int previous = table.runs[first - 1];
          for (int g = first; g <= last(state, at, length[i]); g++) {
            table.runs[g] = previous;
          }
        }
        at += length[i];
      }
    }

    @Override
    public void publish(MappingState state, long offset, long length, Retirement undo) {
      faults.hit("publish");
      requireOpen();
      requireInside(state, offset, length);
      publishRuns(state, offset, length);
    }

    private void publishRuns(MappingState state, long offset, long length) {
      int first = first(state, offset);
      int last = last(state, offset, length);
      int at = first;
      try {
        for (; at <= last; at++) {
          if (table.written[at] != 0 && table.visible[at] == 0 && startsRun(at, first)) {
            mapRun(at);
          }
        }
      } catch (RuntimeException e) {
        for (int back = first; back < at; back++) {
          if (table.written[back] != 0 && table.runs[back] == back && table.visible[back] == (table.written[back] | FRESH)) {
            unmapRun(back);
          }
        }
        throw e;
      } finally {
        for (int i = first; i <= last; i++) {
          table.visible[i] &= ~FRESH;
        }
      }
    }

    private static final long FRESH = 4;

    private boolean startsRun(int at, int first) {
      if (table.runs[at] != at && at == first) {
        throw new AssertionError("publish of half a run");
      }
      return table.runs[at] == at;
    }

    private void mapRun(int start) {
      faults.hit("host map");
      if (mapped == slots) {
        throw refuse(Reason.MAPPING_SLOTS, "the host grants " + slots + " mappings");
      }
      mapped++;
      for (int i = start; i < GranuleTable.GRANULES && table.written[i] != 0 && table.runs[i] == start; i++) {
        table.visible[i] = table.written[i] | FRESH;
      }
    }

    private void unmapRun(int start) {
      mapped--;
      for (int i = start; i < GranuleTable.GRANULES && table.runs[i] == start && table.visible[i] != 0; i++) {
        table.visible[i] = 0;
      }
    }

    @Override
    public void unlink(MappingState state, long offset, long length, Retirement batch) {
      faults.hit("unlink");
      requireInside(state, offset, length);
      requireLinked(state, offset, length);
      int first = first(state, offset);
      int last = last(state, offset, length);
      boolean cutsEnd = last + 1 < GranuleTable.GRANULES && table.written[last + 1] != 0 && table.runs[last + 1] == table.runs[last];
      if (table.runs[first] != first || cutsEnd) {
        throw refuse(Reason.NOT_SPLITTABLE, "the host cannot cut a mapping");
      }
      clear(first, last);
    }

    private void clear(int first, int last) {
      for (int i = first; i <= last; i++) {
        if (table.visible[i] != 0 && table.runs[i] == i) {
          mapped--;
        }
        table.visible[i] = 0;
        table.written[i] = 0;
        table.runs[i] = 0;
      }
    }

    @Override
    public void protect(MappingState state, long offset, long length, int access, Retirement batch) {
      throw refuse(Reason.UNSUPPORTED, "the host cannot change a mapping");
    }

    @Override
    void drop(MappingState state, Retirement batch) {
      faults.hit("host unmap");
      int first = base(state);
      clear(first, first + (int) (state.allocated >>> table.shift) - 1);
      super.drop(state, batch);
    }
  }
}
