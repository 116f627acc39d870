package io.twostep.backend.iommu;

import io.twostep.backend.iommu.iova.FlushQueue;
import io.twostep.backend.iommu.table.RadixPageTable;
import io.twostep.backend.iommu.table.TableMemory;
import io.twostep.backend.iommu.table.TablePages;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.TableWalkingIommu;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One address space whose tables this backend owns: allocator, tables, their memory, and the queue of what was unmapped but not yet invalidated.
 *
 * <p>Nothing here is shared with another address space.
 */
final class TableSpace extends SharedSpace {
  private static final Logger LOG = LoggerFactory.getLogger(TableSpace.class);

  final TableWalkingIommu iommu;
  final FormatChoice choice;
  final TableArena arena;
  final RadixPageTable table;

  /** Reads the dirty bits of the tables; null where hardware sets none. */
  final @Nullable TableTracker tracker;

  /** Words stored into tables; null unless they are counted. */
  private final @Nullable LongAdder tableWrites;

  /** What waits for a flush; null under the strict policy. */
  final @Nullable FlushQueue queue;

  private final @Nullable AutoCloseable reuseHook;

  /** Make tables and allocator for the address space of {@code context} and show the hardware the root. */
  TableSpace(AttachContext context, IommuConfig config, TableWalkingIommu iommu) {
    FormatChoice choice = FormatChoice.choose(context.device(), iommu, config.format());
    super(context, config, granule(context, config, choice), 0, lower(iommu.highestIova(), choice.format().lastIova()));
    this.iommu = iommu;
    this.choice = choice;
    arena = arena(context.machine(), config);
    tableWrites = config.countTableWrites() ? new LongAdder() : null;
    table = root(context);
    tracker = iommu.tracksDirty() ? new TableTracker(name, iommu, table, arena, granule, highestIova) : null;
    boolean lazy = config.flush() == FlushPolicy.LAZY && !untrusted;
    queue = lazy ? queue(context.machine()) : null;
    reuseHook = queue == null ? null : context.machine().memory().beforeReuse(queue::drain);
    showRoot();
  }

  private void showRoot() {
    try {
      iommu.setRoot(choice.hardware(), table.rootPhys(), table.levels());
    } catch (RuntimeException e) {
      // Nobody will close what was never made; the hardware may have taken the root all the same.
      try {
        close();
      } catch (RuntimeException again) {
        e.addSuppressed(again);
      }
      throw e;
    }
  }

  private static long granule(AttachContext context, IommuConfig config, FormatChoice choice) {
    long smallest = Math.max(choice.smallestLeaf(), TableMemory.PAGE);
    long wanted = config.granule() == 0 ? smallest : config.granule();
    if (wanted < smallest) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED,
          "%s: granule 0x%x is below 0x%x, the smallest page that %s translates in %s"
              .formatted(context.device(), wanted, smallest, context.space().name(), choice.hardware().name()));
    }
    return wanted;
  }

  private TableArena arena(Machine machine, IommuConfig config) {
    // A walker that does not see CPU caches reads tables that no cache ever holds.
    MemoryPlacement placement = choice.hardware().coherentWalk() ? MemoryPlacement.CONTIGUOUS : MemoryPlacement.COHERENT;
    long highestPhys = -1L >>> (Long.SIZE - choice.format().outputBits());
    long mostPages = config.tableMemory() == 0 ? Long.MAX_VALUE : config.tableMemory() / TableMemory.PAGE;
    return new TableArena(
        machine.memory(), placement, highestPhys, iommu.tableView(), iommu.tableBase(), mostPages, this::flushDeferred);
  }

  private RadixPageTable root(AttachContext context) {
    try {
      return new RadixPageTable(choice.format(), arena, granule, this::growRoot, tableWrites);
    } catch (IllegalStateException e) {
      arena.close();
      throw new DmaMappingException(
          Reason.TABLE_MEMORY, context.device() + ": no memory for the root page table of " + name + "; free memory or raise table-memory", e);
    }
  }

  private void growRoot(long rootPhys, int levels) {
    iommu.setRoot(choice.hardware(), rootPhys, levels);
  }

  private FlushQueue queue(Machine machine) {
    return new FlushQueue(
        name,
        2 * Runtime.getRuntime().availableProcessors(),
        iommu::invalidateAll,
        this::releaseDeferred,
        new DeferredFlush(name, machine.timers()));
  }

  private void releaseDeferred(long base, long granules, long tableChain) {
    freeTables(tableChain);
    iova.free(base, granules);
  }

  /** Frees a chain of table pages that nothing but a read of dirty bits may still look at. */
  void freeTables(long chain) {
    TableTracker reader = tracker;
    if (reader == null) {
      TablePages.freeChain(arena, chain);
    } else {
      reader.free(chain);
    }
  }

  @Override
  DmaOps attach(AttachContext context, Runnable detached) {
    TableOps ops = new TableOps(this, context, detached);
    return context.slot().coherent() ? ops : new NonCoherentTableOps(ops, this, context);
  }

  /** Complete every deferred invalidation; returns whether there was one. */
  boolean flushDeferred() {
    FlushQueue waiting = queue;
    if (waiting == null || waiting.pending() == 0) {
      return false;
    }
    waiting.drain();
    return true;
  }

  @Override
  IommuStatistics statistics() {
    var ranges = iova.statistics();
    FlushQueue waiting = queue;
    return new IommuStatistics(
        open(),
        ranges.liveRanges(),
        ranges.liveGranules() * granule,
        waiting == null ? 0 : waiting.pending(),
        arena.usedPages() * TableMemory.PAGE,
        waiting == null ? 0 : waiting.flushes(),
        leaks(),
        tableWrites == null ? 0 : tableWrites.sum());
  }

  /** Make everything unreachable, then give tables and their memory back. What cannot be proved unreachable stays. */
  @Override
  void close() {
    try {
      iommu.clearRoot();
      iommu.invalidateAll();
      if (queue != null) {
        queue.close();
      }
    } catch (DmaMappingException e) {
      LOG.warn("{}: the last invalidation failed; {} bytes of page tables are withheld", name, arena.usedPages() * TableMemory.PAGE, e);
      return;
    } finally {
      countLeaks();
      unhook();
    }
    table.destroy();
    arena.close();
  }

  private void unhook() {
    if (reuseHook != null) {
      try {
        reuseHook.close();
      } catch (Exception e) {
        throw new IllegalStateException(name + ": the machine's reuse hook cannot be taken back", e);
      }
    }
  }
}
