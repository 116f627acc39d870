package io.twostep.backend.debug;

import io.twostep.backend.debug.measure.Meter;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.OpenState;
import java.util.List;
import java.util.WeakHashMap;

/**
 * Check every rule of the mapping API, and measure.
 *
 * <p>Lies above or below any layer, most usefully above all. Follows the devices of its stacks together, of one machine or several: memory that two devices of a machine map is seen. Thread-safe.
 */
public final class DebugBackend implements LayerBackend {
  static final String NAME = "debug";

  private final DebugConfig config;
  private final OpenState open = new OpenState();
  private final Reports reports;
  private final Ledger ledger;
  private final WrittenBytes written = new WrittenBytes();
  private final Meter meter;
  private final WeakHashMap<AddressSpace, FaultWatch> watches = new WeakHashMap<>();

  /** Create a checker without devices. */
  public DebugBackend(DebugConfig config) {
    this.config = config;
    reports = new Reports(config);
    ledger = new Ledger(config.entries());
    meter = new Meter(config.sample());
  }

  @Override
  public String name() {
    return NAME;
  }

  /** Return what the checker does. */
  public DebugConfig config() {
    return config;
  }

  /**
   * Attach a device above {@code next}.
   *
   * @return {@code next} itself if the device is neither checked nor measured
   * @throws IllegalStateException if the checker is closed
   */
  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    open.requireOpen(this, context);
    DmaOps ops = config.measure() ? meter.attach(next, context) : next;
    boolean chosen = config.devices().isEmpty() || config.devices().contains(context.device());
    if (!config.checks() || !chosen || ledger.isExhausted()) {
      return ops;
    }
    SpaceLedger space = ledger.space(context.space());
    if (config.faults() && context.space().translation() == AddressSpace.Translation.TRANSLATED) {
      watch(context, space);
    }
    return new CheckingOps(ops, new Device(context, ops.granule(), ops.unit(), ops.translates()), this, space);
  }

  private void watch(AttachContext context, SpaceLedger space) {
    synchronized (watches) {
      FaultWatch watch = watches.get(context.space());
      if (watch == null) {
        watch = new FaultWatch(space, ledger.uses(context.machine()), reports);
        watches.put(context.space(), watch);
        context.space().iommu().onFault(watch);
      }
      watch.watch(context.slot().address());
    }
  }

  Reports reports() {
    return reports;
  }

  Ledger ledger() {
    return ledger;
  }

  WrittenBytes written() {
    return written;
  }

  /**
   * Fill a block with a marker and report, from now on, words of it that nobody wrote when a device gets them to read.
   *
   * <p>What a device was allowed to write counts as written. Call it before the block is used; see {@link Rule#SENT_UNWRITTEN}.
   */
  public void watchWrites(MemoryBlock block) {
    written.watch(block);
  }

  /** Forget a block of {@link #watchWrites}, before it is closed. */
  public void unwatchWrites(MemoryBlock block) {
    written.unwatch(block);
  }

  /** Return the reports kept, oldest first; at most {@link DebugConfig#limit}. */
  public List<Report> reports(int most) {
    List<Report> kept = reports.kept();
    return kept.subList(0, Math.min(most, kept.size()));
  }

  /** Return what was followed, found and measured until now. */
  public DebugStatistics statistics() {
    return new DebugStatistics(
        ledger.followed(), ledger.liveCount(), ledger.entries(), reports.total(), reports.counts(), ledger.isExhausted(), meter.snapshot());
  }

  /** Report what a closing mapper leaves behind. */
  void leaks(CheckingOps ops) {
    for (Tracked tracked : ledger.live()) {
      if (tracked.isOf(ops)) {
        leak(tracked);
      }
    }
    for (Debt debt : ledger.debts()) {
      if (debt.owner == ops && debt.tracked.takenBack) {
        leak(debt.tracked);
      }
    }
  }

  private void leak(Tracked tracked) {
    // Another thread may be tearing it down just now.
    boolean underWay = tracked.ending && !tracked.takenBack;
    if (!underWay && !tracked.leaked) {
      tracked.leaked = true;
      Rule rule = tracked.coherent() ? Rule.LEAKED_COHERENT : tracked.window ? Rule.LEAKED_WINDOW : Rule.LEAKED_MAPPING;
      String detail = tracked.takenBack ? "its memory was taken back, and the driver had not let go" : "still mapped";
      reports.note(rule, tracked.device, tracked.dmaAddress, tracked.length, detail + " when the mapper or the layer was closed", tracked.made);
    }
  }

  /**
   * Report what is left behind, and follow no more devices.
   *
   * @throws CheckerException under {@link OnError#THROW}, if there were reports that could not be thrown where they arose
   */
  @Override
  public void close() {
    open.close();
    ledger.live().forEach(this::leak);
    ledger.debts().forEach(this::unpaid);
    reports.throwTheRest();
  }

  private void unpaid(Debt debt) {
    Tracked tracked = debt.tracked;
    if (tracked.takenBack) {
      leak(tracked);
    } else if (!debt.failed && !debt.batch.isUnproved()) {
      reports.note(
          Rule.BATCH_NEVER_COMPLETED, tracked.device, tracked.dmaAddress, tracked.length, "its translations are cleared and its memory is held", debt.at);
    }
  }
}
