package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.Retirement;
import io.twostep.dma.spi.Revocable;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which units of a {@link SparseWindow} lead to exported buffers: one record for each run of such units, since no page table says for whom memory is linked.
 *
 * <p>The meeting point of the threads that use these units with the one that takes a buffer back: whoever takes them out or changes them has the monitor. Units that were taken back are holes; their record stays
 * until somebody unlinks them, so that the driver may do that without knowing who came first.
 */
final class ImportedUnits {
  private static final Logger LOG = LoggerFactory.getLogger(ImportedUnits.class);

  /** Units that were linked from one import, or what is left of them after they were taken back. */
  private record Run(long offset, long length, ImportedBuffer buffer, ExportLease lease, boolean takenBack) {
    long end() {
      return offset + length;
    }

    Run part(long from, long to) {
      return new Run(from, to - from, buffer, lease, takenBack);
    }

    /** Tell whether another run of the same memory and fate begins where this one ends. */
    boolean continuesIn(Run next) {
      return end() == next.offset && buffer == next.buffer && lease == next.lease && takenBack == next.takenBack;
    }
  }

  private final SparseWindow window;
  private final WindowUnits units;
  private final WindowHolds holds;

  /** By offset; no two overlap. */
  private final TreeMap<Long, Run> runs = new TreeMap<>();

  ImportedUnits(SparseWindow window, WindowUnits units) {
    this.window = window;
    this.units = units;
    this.holds = units.holds();
  }

  /** Link a part of a buffer; as {@link SparseWindow#link(long, ImportedBuffer, long, long, DmaDirection, DmaSink)}. */
  long link(long offset, ImportedBuffer buffer, long from, long length, DmaDirection access, int linkFlags, @Nullable DmaSink sink) {
    buffer.requireLinkable(window, from, length, access);
    ExportLease lease = buffer.exported().lease();
    RangeList ranges = lease.ranges().part(from, length);
    requireUnits(buffer, from, length, ranges);
    long pins = length / units.unit();
    if (!RegionPins.tryPin(lease.region(), pins, holds)) {
      throw lost(buffer);
    }
    Run run = new Run(offset, length, buffer, lease, false);
    WindowScratch scratch = WindowScratch.take();
    try {
      long linked = units.link(scratch, offset, ranges, linkFlags, sink);
      if (!tryAdd(run)) {
        throw lost(buffer);
      }
      return linked;
    } catch (RuntimeException e) {
      boolean takenBack = undo(scratch, run, e);
      // Outside the monitor, as in takenBack().
      units.settle(scratch, e);
      if (takenBack) {
        buffer.tellRevoked();
      }
      return WindowUnits.failed(e);
    } finally {
      scratch.giveBack();
    }
  }

  private void requireUnits(ImportedBuffer buffer, long from, long length, RangeList ranges) {
    for (int i = 0; i < ranges.count(); i++) {
      if (((ranges.phys(i) | ranges.length(i)) & (units.unit() - 1)) != 0) {
        window.refused(Misuse.MISALIGNED, "link", ranges.phys(i), ranges.length(i));
        throw new DmaMappingException(
            Reason.MISALIGNED,
            "%s: cannot link 0x%x+0x%x of %s into a window: its piece %s does not lie on units of 0x%x; choose other parts, or map it"
                .formatted(window.stack().device, from, length, buffer.exported(), Hex.range(ranges.phys(i), ranges.length(i)), units.unit()));
      }
    }
  }

  private DmaMappingException lost(ImportedBuffer buffer) {
    return buffer.exported().revoked(window.stack().device + ": link()");
  }

  /** Record units that were just linked; false, and nothing is recorded, if the buffer was taken back since. */
  private synchronized boolean tryAdd(Run run) {
    if (run.lease.account().isRevoked()) {
      return false;
    }
    replace(run);
    return true;
  }

  /**
   * Take out what a failing call linked of a run; units that do not go keep the buffer, and are recorded even if it was taken back: through them the device reaches it. Returns whether it was: who took it back
   * found none of them, so that the import was not told.
   */
  private synchronized boolean undo(WindowScratch scratch, Run run, RuntimeException cause) {
    long stayed = units.tryTakeOut(scratch, run.offset, cause) ? run.offset : scratch.linkedTo;
    if (stayed != run.offset) {
      replace(run.part(run.offset, stayed));
    }
    if (stayed != run.end()) {
      // Among the scratch's pins the buffer is let go of, or withheld, together with the memory of these units.
      scratch.pins.adopt(run.lease.region(), (run.end() - stayed) / units.unit(), holds, 0);
    }
    return stayed != run.offset && run.lease.account().isRevoked();
  }

  /** Put a run in the place of what was taken back there. */
  private void replace(Run run) {
    within(run.offset, run.end()).clear();
    put(run);
  }

  /** Put a run in a place where there is none, joined with its neighbours. */
  private void put(Run run) {
    Run joined = run;
    Map.Entry<Long, Run> before = runs.lowerEntry(run.offset);
    if (before != null && before.getValue().continuesIn(joined)) {
      joined = before.getValue().part(before.getKey(), joined.end());
    }
    Run after = runs.get(joined.end());
    if (after != null && joined.continuesIn(after)) {
      runs.remove(after.offset);
      joined = joined.part(joined.offset, after.end());
    }
    runs.put(joined.offset, joined);
  }

  /** Return the runs from one offset to another, cut there; clearing them forgets them. */
  private SortedMap<Long, Run> within(long from, long to) {
    cutAt(from);
    cutAt(to);
    return runs.subMap(from, to);
  }

  private void cutAt(long offset) {
    Map.Entry<Long, Run> before = runs.lowerEntry(offset);
    if (before != null && before.getValue().end() > offset) {
      Run run = before.getValue();
      runs.put(run.offset, run.part(run.offset, offset));
      runs.put(offset, run.part(offset, run.end()));
    }
  }

  /** Clear units, whoever's they are, but for holes that were taken back; hand what holds their memory to the scratch, also what was cleared before a failure. */
  synchronized void clear(WindowScratch scratch, long offset, long length, Retirement retirement) {
    long end = offset + length;
    for (long at = offset; at < end; at += units.unit()) {
      if (!isLinked(at) && !isTakenBack(at)) {
        units.requireLinked("unlink", at, DmaOps.ABSENT);
      }
    }
    for (long at = nextLinked(offset, end); at < end; ) {
      long hole = nextHole(at, end);
      clearLinked(scratch, at, hole, retirement);
      at = nextLinked(hole, end);
    }
    within(offset, end).clear();
  }

  private boolean isTakenBack(long at) {
    Map.Entry<Long, Run> run = runs.floorEntry(at);
    return run != null && run.getValue().takenBack && run.getValue().end() > at;
  }

  private boolean isLinked(long at) {
    return units.physAt(at) != DmaOps.ABSENT;
  }

  private long nextLinked(long from, long end) {
    long at = from;
    while (at < end && !isLinked(at)) {
      at += units.unit();
    }
    return at;
  }

  private long nextHole(long from, long end) {
    long at = from;
    while (at < end && isLinked(at)) {
      at += units.unit();
    }
    return at;
  }

  private void clearLinked(WindowScratch scratch, long from, long to, Retirement retirement) {
    SortedMap<Long, Run> cleared = within(from, to);
    int mark = scratch.pins.mark();
    try {
      adopt(scratch.pins, cleared, mark);
      units.clear(scratch, from, to - from, retirement);
    } catch (RuntimeException e) {
      scratch.pins.forgetTo(mark);
      throw e;
    }
    cleared.clear();
  }

  /** Have pins answer for the buffers of runs. */
  private void adopt(RegionPins pins, SortedMap<Long, Run> of, int mark) {
    for (Run run : of.values()) {
      if (!run.takenBack) {
        pins.adopt(run.lease.region(), run.length / units.unit(), holds, mark);
      }
    }
  }

  /** Change the permission of units, within what their exports allow. */
  synchronized void protect(long offset, long length, DmaDirection access) {
    Long first = runs.floorKey(offset);
    for (Run run : runs.subMap(first == null ? Long.valueOf(offset) : first, offset + length).values()) {
      if (!run.takenBack && run.end() > offset) {
        run.buffer.requireAccess("protect", run.offset, run.length, access);
      }
    }
    units.protect(offset, length, access.access());
  }

  /** Move ownership of a part of the window. */
  synchronized void sync(long offset, long length, int toward) {
    window.syncUnits(offset, length, toward);
  }

  /** Take out the units of a buffer that its owner took back, where they are translated, and tell those who attached it. */
  void takenBack(Revocable account) {
    Set<ImportedBuffer> told = new LinkedHashSet<>();
    WindowScratch scratch = WindowScratch.take();
    try {
      takeOut(account, scratch, told);
      // Outside the monitor: whoever lets go last runs what the owner waits with.
      scratch.pins.releaseAll();
    } finally {
      scratch.giveBack();
    }
    told.forEach(DmaHandle::tellRevoked);
  }

  private synchronized void takeOut(Revocable account, WindowScratch scratch, Set<ImportedBuffer> told) {
    for (Run run : List.copyOf(runs.values())) {
      if (run.lease.account() == account && !run.takenBack) {
        told.add(run.buffer);
        if (window.stack().translates) {
          takeOut(run, scratch);
        }
      }
    }
    try {
      units.complete(scratch);
    } catch (RuntimeException e) {
      LOG.warn("{}: units of {} could not be proved gone; they are withheld until the device is reset", window.stack().device, account, e);
    }
  }

  private void takeOut(Run run, WindowScratch scratch) {
    try {
      clearLinked(scratch, run.offset, run.end(), scratch.retirement);
      put(new Run(run.offset, run.length, run.buffer, run.lease, true));
    } catch (RuntimeException e) {
      // The driver is told, and its device is stopped if it cannot unlink them either.
      LOG.warn("{}: units of {} could not be unlinked", window.stack().device, run.lease.account(), e);
    }
  }

  /** Take down the whole window. */
  synchronized @Nullable RuntimeException takeDown(Retirement retirement) {
    adopt(window.pins(), runs, 0);
    runs.clear();
    return units.takeDown(retirement);
  }
}
