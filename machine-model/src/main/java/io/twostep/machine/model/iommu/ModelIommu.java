package io.twostep.machine.model.iommu;

import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.machine.model.IommuStats;
import io.twostep.machine.model.IotlbMode;
import io.twostep.machine.model.memory.ModelMemory;
import io.twostep.machine.model.memory.PhysicalLayout;
import io.twostep.machine.model.memory.Rng;
import io.twostep.machine.model.run.MachineLock;
import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The translation hardware of one address space.
 *
 * <p>A translation that is linked but was not published faults, in every mode, so that a forgotten sync shows on first use. What was removed may live on in
 * caches until an invalidation covers it: not at all ({@link IotlbMode#OFF}), as long as a real cache would keep it ({@link IotlbMode#NORMAL}), or whenever the
 * seed says so ({@link IotlbMode#ADVERSARIAL}). All state is guarded by the machine's lock.
 */
public final class ModelIommu implements TableWalkingIommu {
  /** What {@link #translate} returns for a refused access. */
  public static final long REFUSED = -1;

  private static final int PAGE_SHIFT = TableWalker.PAGE_SHIFT;
  private static final int LARGE_SHIFT = 21;
  private static final int MARKED = Walk.MARKED;

  private final String name;
  private final ModelMemory memory;
  private final MachineLock lock;
  private final IotlbMode mode;
  private final CostModel cost;
  private final Interception interception;
  private final List<TableFormat> formats;
  private final long highestIova;
  private final Rng rng;

  private final Iotlb pages;
  private final Iotlb largePages;
  private final Iotlb leafTables;
  private final History history = new History();
  private final PublishedPages published = new PublishedPages();
  private final Faults faults;
  private final Walk walk = new Walk();
  private final Walk scan = new Walk();
  private final long[] candidates = new long[16];

  private @Nullable TableWalker walker;
  private long rootPhys;
  private int levels;
  private boolean trackDirty;

  private long hits;
  private long misses;
  private long publishes;
  private long invalidations;
  private long unpublished;
  private long staleAnswers;
  private long simulatedNanos;

  /** Calls that tests may make fail: each is asked before the call and answers whether it has to fail. */
  public record Interception(BooleanSupplier publish, BooleanSupplier invalidate) {}

  /** Create hardware without tables. */
  public ModelIommu(
      String name,
      ModelMemory memory,
      MachineLock lock,
      IotlbMode mode,
      CostModel cost,
      Interception interception,
      List<TableFormat> formats,
      int addressBits,
      Rng rng) {
    this.name = name;
    this.memory = memory;
    this.lock = lock;
    this.mode = mode;
    this.cost = cost;
    this.interception = interception;
    this.formats = List.copyOf(formats);
    this.highestIova = addressBits == 64 ? -1L : (1L << addressBits) - 1;
    this.rng = rng;
    this.pages = new Iotlb(PAGE_SHIFT, 1024, rng);
    this.largePages = new Iotlb(LARGE_SHIFT, 128, rng);
    this.leafTables = new Iotlb(LARGE_SHIFT, 128, rng);
    this.faults = new Faults(lock);
  }

  @Override
  public long highestIova() {
    return highestIova;
  }

  @Override
  public void onFault(FaultListener listener) {
    faults.listen(listener);
  }

  @Override
  public List<TableFormat> formats() {
    return formats;
  }

  @Override
  public MemorySegment tableView() {
    return memory.flatView();
  }

  @Override
  public long tableBase() {
    return memory.layout().base();
  }

  @Override
  public void setRoot(TableFormat format, long newRootPhys, int newLevels) {
    memory.requireOpen();
    if (!formats.contains(format) || newLevels < format.minLevels() || newLevels > format.maxLevels()) {
      throw new IllegalArgumentException(
          name + ": cannot walk " + newLevels + " levels of " + format + "; the hardware has " + formats);
    }
    if ((newRootPhys & (PhysicalLayout.FRAME_SIZE - 1)) != 0 || memory.offsetOf(newRootPhys) < 0) {
      throw new IllegalArgumentException(
          name + ": root table 0x" + HexFormat.of().toHexDigits(newRootPhys) + " is not a 4 KiB frame of RAM");
    }
    lock.enter();
    try {
      if (walker == null || !walker.format.equals(format)) {
        walker = TableWalker.of(format, memory);
      }
      rootPhys = newRootPhys;
      levels = newLevels;
    } finally {
      lock.exit();
    }
  }

  @Override
  public void clearRoot() {
    lock.enter();
    try {
      walker = null;
      dropCached(0, -1L, true);
      published.clear();
    } finally {
      lock.exit();
    }
  }

  @Override
  public boolean tracksDirty() {
    return true;
  }

  @Override
  public void trackDirty(boolean on) {
    lock.enter();
    try {
      trackDirty = on;
    } finally {
      lock.exit();
    }
  }

  @Override
  public void publish(long firstIova, long lastIova) {
    Ranges.requireOrdered(name, firstIova, lastIova);
    memory.requireOpen();
    if (interception.publish().getAsBoolean()) {
      throw Ranges.publishFailed(name, firstIova, lastIova);
    }
    lock.enter();
    try {
      memory.requireOpen();
      publishes++;
      TableWalker reader = walker;
      if (reader != null) {
        publish(reader, firstIova, Ranges.min(lastIova, highestIova));
      }
    } finally {
      lock.exit();
    }
  }

  private void publish(TableWalker reader, long firstIova, long lastIova) {
    long iova = firstIova;
    while (Long.compareUnsigned(iova, lastIova) <= 0) {
      boolean leaf = scan(reader, iova);
      long end = runEnd(reader, iova, lastIova, leaf);
      if (leaf) {
        published.add(iova >>> PAGE_SHIFT, end >>> PAGE_SHIFT);
        rememberScan(reader, iova);
      }
      if (end == -1L) {
        return;
      }
      iova = end + 1;
    }
  }

  @Override
  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
    Ranges.requireOrdered(name, firstIova, lastIova);
    if (memory.isClosed()) {
      return; // the devices are gone: nothing can reach what this would take away
    }
    if (interception.invalidate().getAsBoolean()) {
      throw Ranges.invalidationFailed(name, firstIova, lastIova);
    }
    lock.enter();
    try {
      if (memory.isClosed()) {
        return; // closed by another thread since
      }
      invalidations++;
      simulatedNanos += cost.invalidationNanos();
      dropCached(firstIova, lastIova, tablesChanged);
      TableWalker reader = walker;
      if (reader != null) {
        withdraw(reader, firstIova, Ranges.min(lastIova, highestIova));
      }
    } finally {
      lock.exit();
    }
  }

  private void dropCached(long firstIova, long lastIova, boolean tablesChanged) {
    if (mode == IotlbMode.NORMAL) {
      pages.invalidate(firstIova, lastIova);
      largePages.invalidate(firstIova, lastIova);
      if (tablesChanged) {
        leafTables.invalidate(firstIova, lastIova);
      }
    } else if (mode == IotlbMode.ADVERSARIAL) {
      history.forget(firstIova, lastIova, tablesChanged);
    }
  }

  /** Withdraw what is no longer present; what still is stays published, and may at once be cached again. */
  private void withdraw(TableWalker reader, long firstIova, long lastIova) {
    long lastPage = lastIova >>> PAGE_SHIFT;
    long page = firstIova >>> PAGE_SHIFT;
    while (page <= lastPage) {
      page = published.next(page, lastPage);
      if (page == PublishedPages.NONE) {
        return;
      }
      boolean leaf = scan(reader, page << PAGE_SHIFT);
      long end = runEnd(reader, page << PAGE_SHIFT, lastIova, leaf) >>> PAGE_SHIFT;
      if (leaf) {
        rememberScan(reader, page << PAGE_SHIFT);
      } else {
        published.remove(page, end);
        rememberTables(scan, page << PAGE_SHIFT);
      }
      page = end + 1;
    }
  }

  /** Look at the tables as they are, for {@link #publish} and {@link #withdraw}. */
  private boolean scan(TableWalker reader, long iova) {
    return reader.walk(rootPhys, levels, iova, scan);
  }

  /** Return the last byte, not after {@code lastIova}, that the tables answer as they did for the scan of {@code iova}: all present, or all absent. */
  private long runEnd(TableWalker reader, long iova, long lastIova, boolean leaf) {
    long end = spanEnd(iova);
    boolean pages = scan.lastLevel == 0 && scan.cause != Cause.BEYOND_WIDTH && scan.cause != Cause.MALFORMED_TABLE;
    if (pages && mode != IotlbMode.ADVERSARIAL) {
      long lastInTable = Ranges.min(iova | ((1L << LARGE_SHIFT) - 1), lastIova);
      int to = (int) (lastInTable >>> PAGE_SHIFT) & 511;
      int next = reader.runEnd(scan.tables[0], (int) (iova >>> PAGE_SHIFT) & 511, to, leaf);
      end = (iova & -(1L << LARGE_SHIFT)) + ((long) next << PAGE_SHIFT) - 1;
    }
    return Ranges.min(end, lastIova);
  }

  private long spanEnd(long iova) {
    return scan.cause == Cause.BEYOND_WIDTH || scan.shift >= 64 ? -1L : iova | ((1L << scan.shift) - 1);
  }

  private void rememberScan(TableWalker reader, long iova) {
    if (mode == IotlbMode.ADVERSARIAL) {
      history.remember(iova, scan, levels - 1, marked(reader, scan));
    }
  }

  /** Keep the way to a hole, as hardware may; a table that could not be read is none. */
  private void rememberTables(Walk way, long iova) {
    if (mode == IotlbMode.ADVERSARIAL && way.cause != Cause.BEYOND_WIDTH && way.cause != Cause.MALFORMED_TABLE) {
      history.rememberTables(iova, way, levels - 1);
    }
  }

  /** Return {@link #MARKED} if writes through a translation cached now leave the leaf's dirty bit alone: it is set, or nobody tracks. */
  private int marked(TableWalker reader, Walk found) {
    return trackDirty && reader.needsMark(found.item, true) ? 0 : MARKED;
  }

  /**
   * Translate one access that stays inside a 4 KiB page; the caller holds the machine's lock.
   *
   * @return the physical address, or {@link #REFUSED} after the fault was recorded
   */
  public long translate(long iova, boolean write, DeviceAddress device) {
    int wanted = write ? Walk.WRITE : Walk.READ;
    if (mode == IotlbMode.NORMAL) {
      int entry = pages.find(iova);
      if (entry != Iotlb.MISS && allows(pages.info(entry), wanted, write)) {
        hits++;
        return pages.phys(entry) | (iova & ((1L << PAGE_SHIFT) - 1));
      }
      entry = largePages.find(iova);
      if (entry != Iotlb.MISS && allows(largePages.info(entry), wanted, write)) {
        hits++;
        return largePages.phys(entry) | (iova & ((1L << LARGE_SHIFT) - 1));
      }
    }
    return miss(iova, write, wanted, device);
  }

  /** An entry answers if it has the permission, and for a write only if that needs no dirty bit any more. */
  private static boolean allows(int info, int wanted, boolean write) {
    return (info & wanted) != 0 && (!write || (info & MARKED) != 0);
  }

  private long miss(long iova, boolean write, int wanted, DeviceAddress device) {
    if (Long.compareUnsigned(iova, highestIova) > 0) {
      return refuse(iova, write, device, Cause.BEYOND_WIDTH);
    }
    TableWalker reader = walker;
    if (reader == null) {
      return refuse(iova, write, device, Cause.NOT_PRESENT);
    }
    if (mode == IotlbMode.ADVERSARIAL) {
      int known = history.leavesFor(iova, candidates);
      int pick = rng.below(known + 1);
      if (pick < known && (!write || (candidates[pick] & MARKED) != 0)) {
        return answerFromHistory(reader, candidates[pick], iova, write, wanted, device);
      }
    }
    misses++;
    long before = walk.tableReads;
    Cause cause = walkAndMark(reader, iova, write, wanted);
    simulatedNanos += cost.missNanos() + (walk.tableReads - before) * cost.tableReadNanos();
    if (cause != null) {
      unpublished += cause == Cause.NOT_PUBLISHED ? 1 : 0;
      rememberTables(walk, iova);
      return refuse(iova, write, device, cause);
    }
    long phys = walk.leafPhys + (iova & ((1L << walk.shift) - 1));
    cache(reader, iova, phys);
    return phys;
  }

  private @Nullable Cause walkAndMark(TableWalker reader, long iova, boolean write, int wanted) {
    boolean known = published.contains(iova >>> PAGE_SHIFT);
    while (true) {
      if (!walkForDevice(reader, iova)) {
        return walk.cause;
      }
      if ((walk.access & wanted) == 0) {
        return Cause.PERMISSION;
      }
      boolean stale = (!known || mode == IotlbMode.ADVERSARIAL) && fromStaleTable(reader, iova);
      if (!known && !stale) {
        return Cause.NOT_PUBLISHED;
      }
      if (trackDirty) {
        reader.markPointers(walk, iova);
      }
      if (!trackDirty || !reader.needsMark(walk.item, write) || reader.mark(walk, write)) {
        staleAnswers += stale && mode == IotlbMode.ADVERSARIAL ? 1 : 0;
        return null;
      }
    }
  }

  /**
   * Tell whether the walk began at a cached pointer to a table that {@code iova} no longer leads to. Hardware knows nothing of publications: what such a table holds, it uses.
   */
  private boolean fromStaleTable(TableWalker reader, long iova) {
    int first = walk.firstLevel;
    if (first >= levels - 1) {
      return false;
    }
    reader.walk(rootPhys, levels, iova, scan);
    return scan.cause == Cause.BEYOND_WIDTH || scan.lastLevel > first || scan.tables[first] != walk.tables[first];
  }

  private boolean walkForDevice(TableWalker reader, long iova) {
    if (mode == IotlbMode.NORMAL) {
      int entry = leafTables.find(iova);
      if (entry != Iotlb.MISS) {
        return reader.walkFrom(leafTables.phys(entry), 0, leafTables.info(entry), iova, walk);
      }
    } else if (mode == IotlbMode.ADVERSARIAL) {
      for (int level = 0; level < levels - 1; level++) {
        int known = history.tablesFor(iova, level, candidates);
        if (known > 0 && rng.oneIn(2)) {
          long table = candidates[rng.below(known)];
          return reader.walkFrom(History.address(table), level, History.access(table), iova, walk);
        }
      }
    }
    return reader.walk(rootPhys, levels, iova, walk);
  }

  private void cache(TableWalker reader, long iova, long phys) {
    if (mode == IotlbMode.NORMAL) {
      int info = walk.access | marked(reader, walk);
      if (walk.shift >= LARGE_SHIFT) {
        largePages.put(iova, phys & -(1L << LARGE_SHIFT), info);
      } else {
        pages.put(iova, phys & -(1L << PAGE_SHIFT), info);
      }
      if (walk.lastLevel == 0) {
        leafTables.put(iova, walk.tables[0], walk.tableAccess[0]);
      }
    } else if (mode == IotlbMode.ADVERSARIAL) {
      history.remember(iova, walk, levels - 1, marked(reader, walk));
    }
  }

  /** Answer with something that was valid once, and set no dirty bit again; counts it as stale if the tables no longer say so. */
  private long answerFromHistory(TableWalker reader, long answer, long iova, boolean write, int wanted, DeviceAddress device) {
    hits++;
    long page = History.address(answer);
    boolean current =
        reader.walk(rootPhys, levels, iova, scan)
            && scan.access == History.access(answer)
            && ((scan.leafPhys + (iova & ((1L << scan.shift) - 1))) >>> PAGE_SHIFT) == page >>> PAGE_SHIFT;
    if (!current) {
      staleAnswers++;
    }
    if ((History.access(answer) & wanted) == 0) {
      return refuse(iova, write, device, Cause.PERMISSION);
    }
    return page | (iova & ((1L << PAGE_SHIFT) - 1));
  }

  private long refuse(long iova, boolean write, DeviceAddress device, Cause cause) {
    faults.record(new FaultRecord(device, iova, write, cause));
    return REFUSED;
  }

  /** Record that an access was refused before translation. */
  public void refused(long iova, boolean write, DeviceAddress device, Cause cause) {
    refuse(iova, write, device, cause);
  }

  /** Return the fault log. */
  public Faults faults() {
    return faults;
  }

  /** Return simulated nanoseconds spent so far; the caller holds the machine's lock. */
  public long simulatedNanos() {
    return simulatedNanos;
  }

  /** Return how many items walks for devices read of tables in frames that no block owned; the caller holds the machine's lock. */
  public long strayTableReads() {
    return walk.strays;
  }

  /** Return the counters. */
  public IommuStats counters() {
    lock.enter();
    try {
      return new IommuStats(
          walk.tableReads, hits, misses, publishes, invalidations, faults.count(), unpublished, staleAnswers, simulatedNanos);
    } finally {
      lock.exit();
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
