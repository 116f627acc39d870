package io.twostep.backend.iommu;

import io.twostep.backend.iommu.table.DirtyVisitor;
import io.twostep.backend.iommu.table.RadixPageTable;
import io.twostep.backend.iommu.table.TableMemory;
import io.twostep.backend.iommu.table.TablePages;
import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.spi.DirtyTracker;
import io.twostep.dma.spi.TableWalkingIommu;
import java.util.ArrayList;
import java.util.List;

/**
 * Tracks writes by the dirty bits that hardware sets in leaves.
 *
 * <p>Whatever clears leaves while tracking puts their marks into a log by I/O address. A read that clears collects marks from tables and log, invalidates what it
 * collected, because caches that hold a leaf as dirty would set no bit again, and only then reports. Dirty bits are all clear while nobody tracks, unless the
 * hardware failed to be switched: then the next start clears them.
 *
 * <p>A read walks tables that it does not own. Their pages are therefore not freed while it runs, but kept until it is done.
 */
final class TableTracker implements DirtyTracker {
  private static final DirtyVisitor NOBODY = (iova, length) -> {};

  private final String space;
  private final TableWalkingIommu iommu;
  private final RadixPageTable table;
  private final TableMemory arena;
  private final long granule;
  private final long highestIova;
  private final DirtyLog log;
  private final List<Long> kept = new ArrayList<>();
  private boolean tracking;

  /** Whether hardware may have set dirty bits since they were last clear, because it failed to be switched. */
  private boolean stale;

  /** Whether a read walks the tables. Volatile, and followed there by a read of the tables' count of detachments: see {@link #free}. */
  private volatile boolean walking;

  TableTracker(String space, TableWalkingIommu iommu, RadixPageTable table, TableMemory arena, long granule, long highestIova) {
    this.space = space;
    this.iommu = iommu;
    this.table = table;
    this.arena = arena;
    this.granule = granule;
    this.highestIova = highestIova;
    log = new DirtyLog(granule);
  }

  @Override
  public long granularity() {
    return granule;
  }

  @Override
  public synchronized void start() {
    if (tracking) {
      throw new IllegalStateException(space + ": writes are tracked already; stop that first, since each reader would clear what the other waits for");
    }
    table.harvestInto(log);
    try {
      iommu.trackDirty(true);
      if (stale) {
        walk(0, highestIova, true, NOBODY);
        log.clear();
      }
      // Translations that were cached before set no bits.
      iommu.invalidateAll();
    } catch (RuntimeException e) {
      stale = true;
      // First, because the hardware may refuse once more.
      stopHarvest();
      iommu.trackDirty(false);
      throw e;
    }
    tracking = true;
    stale = false;
  }

  @Override
  public synchronized void stop() {
    if (!tracking) {
      return;
    }
    tracking = false;
    stale = true;
    try {
      iommu.trackDirty(false);
      iommu.invalidateAll();
      stale = false;
    } finally {
      walk(0, highestIova, true, NOBODY);
      stopHarvest();
    }
  }

  private void stopHarvest() {
    table.harvestInto(null);
    log.clear();
  }

  @Override
  public synchronized void read(boolean clear, DirtyBitmap bitmap) {
    if (!tracking) {
      throw new IllegalStateException(space + ": writes are not tracked; start tracking first");
    }
    long first = bitmap.first();
    long last = first + (bitmap.length() - 1);
    if (clear) {
      readAndClear(first, last, bitmap);
    } else {
      // The log last: what leaves the tables meanwhile is in it.
      walk(first, last, false, bitmap::mark);
      log.mark(bitmap);
    }
  }

  private void readAndClear(long first, long last, DirtyBitmap bitmap) {
    DirtyLog found = new DirtyLog(granule);
    walk(first, last, true, found);
    log.moveTo(found, first, last);
    if (found.isEmpty()) {
      return;
    }
    long foundFirst = found.first();
    long foundLast = found.last();
    try {
      iommu.invalidate(foundFirst, foundLast, false);
    } catch (RuntimeException e) {
      found.moveTo(log, foundFirst, foundLast);
      throw e;
    }
    found.mark(bitmap);
    keepRest(found, first, last, foundFirst, foundLast);
  }

  /** Keeps what a leaf spans beyond the range asked for, and granules that lie in it only in part: their bit is one for all of them. */
  private void keepRest(DirtyLog found, long first, long last, long foundFirst, long foundLast) {
    long mask = granule - 1;
    if ((first & mask) != 0 || Long.compareUnsigned(foundFirst, first) < 0) {
      found.moveTo(log, foundFirst, (first & mask) != 0 ? first | mask : first - 1);
    }
    if ((last & mask) != mask || Long.compareUnsigned(foundLast, last) > 0) {
      found.moveTo(log, (last & mask) != mask ? last & ~mask : last + 1, foundLast);
    }
  }

  private void walk(long first, long last, boolean clean, DirtyVisitor visitor) {
    long end = SharedSpace.lower(last, highestIova);
    if (Long.compareUnsigned(first, end) > 0) {
      return;
    }
    walking = true;
    try {
      // Orders the walk behind every detachment whose owner did not see that a walk is on.
      table.detachments();
      if (clean) {
        table.readAndClearDirty(first, end, visitor);
      } else {
        table.readDirty(first, end, visitor);
      }
    } finally {
      walking = false;
      freeKept();
    }
  }

  /**
   * Frees a chain of detached table pages, or keeps it until the walk that is on has ended.
   *
   * <p>Detaching counts before this looks whether a walk is on; a walk says that it is on before it reads the count. So either it is seen here, or it sees the
   * tables detached.
   */
  void free(long chain) {
    if (walking) {
      synchronized (kept) {
        if (walking) {
          kept.add(chain);
          return;
        }
      }
    }
    TablePages.freeChain(arena, chain);
  }

  private void freeKept() {
    synchronized (kept) {
      for (long chain : kept) {
        TablePages.freeChain(arena, chain);
      }
      kept.clear();
    }
  }
}
