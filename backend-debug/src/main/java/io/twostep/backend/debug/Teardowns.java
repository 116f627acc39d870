package io.twostep.backend.debug;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/** Follows what one device's calls take down until its batch has released it, and says from when its addresses may be another's. */
final class Teardowns {
  /** What is never left to a lazy flush, whoever tears it down. */
  private static final int STRICT = MapFlags.STRICT | MapFlags.WINDOW | MapFlags.BOUNCED;

  private final Device device;
  private final CheckingOps owner;
  private final Ledger ledger;
  private final SpaceLedger space;
  private final Reports reports;

  Teardowns(Device device, CheckingOps owner, Ledger ledger, SpaceLedger space, Reports reports) {
    this.device = device;
    this.owner = owner;
    this.ledger = ledger;
    this.space = space;
    this.reports = reports;
  }

  /**
   * Begin to tear something down, before the layers below hear of it; ends with {@link #done} or {@link #failed}.
   *
   * @param below the layers below, which know whether their terminal is lazy
   */
  Debt begin(Tracked tracked, MappingState state, DmaOps below, Retirement batch, @Nullable Origin at) {
    Debt debt = tracked.refused;
    if (debt != null && debt.batch == batch && ledger.debt(debt.id) == debt) {
      // The batch waits for it still; another one for each attempt would never end.
      debt.failed = false;
    } else {
      debt = new Debt(ledger.nextId(), tracked, owner, batch, Debt.WHOLE, at);
      ledger.owe(debt);
      // Before the layers below register theirs: they release the addresses, and another thread may have them at once.
      await(debt, Retirement.IOVA);
    }
    if (isInSpace(tracked) && below.isLazy() && batch.isDeferrable() && (state.flags & STRICT) == 0) {
      space.giveAway(tracked, below.flushesCompleted());
    }
    return debt;
  }

  /** Have everything be as before {@link #begin}: the layers below refused, and the addresses are still held, or should be. */
  void failed(Debt debt) {
    debt.failed = true;
    Tracked torn = debt.tracked;
    torn.refused = debt;
    Tracked taker = space.keep(torn);
    if (taker != null) {
      reports.note(
          Rule.BELOW_CHANGED_ON_FAILURE,
          device.name,
          torn.dmaAddress,
          torn.length,
          "its teardown threw, and addresses of it were given to " + Hex.range(taker.dmaAddress, taker.length) + " of " + taker.device,
          torn.made);
    }
  }

  /** Note that the layers below did their part. */
  void done(Debt debt) {
    if (isInSpace(debt.tracked)) {
      space.tearDown(debt.tracked);
    }
    await(debt, Retirement.COPY_OUT);
    await(debt, Retirement.TABLES);
  }

  /** Note that a part of a window was unlinked. */
  void unlinked(Tracked tracked, Retirement batch, @Nullable Origin at) {
    Debt debt = new Debt(ledger.nextId(), tracked, owner, batch, Debt.PART, at);
    ledger.owe(debt);
    await(debt, Retirement.COPY_OUT);
    await(debt, Retirement.TABLES);
  }

  private boolean isInSpace(Tracked tracked) {
    return device.translates && !tracked.onBus;
  }

  private void await(Debt debt, int phase) {
    debt.batch.retire(phase, owner, debt.id, 0, 0);
  }

  /** Hear that a phase has come. */
  void retired(int phase, long id) {
    Debt debt = ledger.debt(id);
    if (debt == null) {
      outOfOrder(null, "phase " + phase + " of a release that does not wait");
    } else if (debt.failed) {
      ledger.settle(id);
    } else {
      if (!debt.isDue(phase)) {
        outOfOrder(debt, "phase " + phase + " came with phases " + Integer.toBinaryString(debt.phases) + " done");
      }
      advance(debt, phase);
    }
  }

  private void advance(Debt debt, int phase) {
    debt.phases |= 1 << phase;
    if (phase == Retirement.TABLES) {
      debt.tracked.takenBack = debt.phases != debt.awaited && debt.batch.keepsAddresses();
    }
    if (phase >= Integer.SIZE - 1 - Integer.numberOfLeadingZeros(debt.awaited)) {
      ledger.settle(debt.id);
      if (debt.awaited == Debt.WHOLE) {
        space.retire(debt.tracked);
      }
    }
  }

  private void outOfOrder(@Nullable Debt debt, String detail) {
    reports.note(
        Rule.RETIRED_OUT_OF_ORDER,
        device.name,
        debt == null ? 0 : debt.tracked.dmaAddress,
        debt == null ? 0 : debt.tracked.length,
        detail,
        debt == null ? null : debt.at);
  }
}
