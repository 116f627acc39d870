package io.twostep.backend.debug;

import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Misuse;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Turns what the mapper refused into reports that say what happened earlier. The mapper throws by itself; nothing here does. */
final class RefusalCheck {
  private final Device device;
  private final Reports reports;
  private final Ledger ledger;
  private final Uses uses;

  RefusalCheck(Device device, Reports reports, Ledger ledger, Uses uses) {
    this.device = device;
    this.ledger = ledger;
    this.reports = reports;
    this.uses = uses;
  }

  void refused(@Nullable HandleHistory history, Misuse misuse, String call, long first, long length) {
    if (history != null && history.unfollowed) {
      return;
    }
    Tracked last = history == null ? null : history.last;
    switch (misuse) {
      case ALREADY_MAPPED -> note(Rule.MAPPED_TWICE, last, call, made(last));
      case IN_USE -> note(Rule.USED_BY_TWO_THREADS, last, call, made(last));
      case CLOSED -> note(Rule.USED_AFTER_CLOSE, last, call, gone(last));
      case NOT_MAPPED -> notMapped(last, call);
      case STILL_LINKED -> stillLinked(last);
      case BAD_LENGTH -> range(Rule.EMPTY_RANGE, last, call, first, length);
      case WRAPS -> range(Rule.RANGE_WRAPS, last, call, first, length);
      case UNKNOWN_ATTRIBUTES -> note(Rule.UNKNOWN_ATTRIBUTES, null, call, null);
      case OUTSIDE -> range(last != null && last.window ? Rule.OUTSIDE_WINDOW : Rule.OUTSIDE_MAPPING, last, call, first, length);
      case MISALIGNED -> range(call.equals("unlink") ? Rule.MISALIGNED_UNLINK : Rule.MISALIGNED_LINK, last, call, first, length);
      case NOT_UNITS -> range(Rule.NOT_WINDOW_UNITS, last, call, first, length);
      case WIDER_ACCESS -> range(Rule.ACCESS_WIDENED, last, call, first, length);
      case BUS_ADDRESS -> range(Rule.BUS_ADDRESS_LINKED, last, call, first, length);
      case NOT_LINKED -> notLinked(call.equals("protect") ? Rule.PROTECT_OF_HOLE : Rule.UNLINK_OF_HOLE, last, first, length);
      case NOT_MEMORY -> notMemory(call, first, length);
      case NOT_TAKEN -> notTaken(call, first, length);
      case SOURCE_CHANGED -> range(Rule.SOURCE_CHANGED, last, call, first, length);
    }
  }

  private void note(Rule rule, @Nullable Tracked last, String call, @Nullable Origin earlier) {
    reports.note(rule, device.name, last == null ? 0 : last.dmaAddress, last == null ? 0 : last.length, call + "()", earlier);
  }

  private void range(Rule rule, @Nullable Tracked last, String call, long first, long length) {
    String of = last == null ? "" : ", of " + (last.window ? "the window " : "the mapping ") + Hex.range(last.dmaAddress, last.length);
    reports.note(rule, device.name, first, length, call + " with " + length + " bytes at " + Hex.of(first) + of, made(last));
  }

  private void notMapped(@Nullable Tracked last, String call) {
    boolean teardown = call.equals("unmap") || call.equals("destroy") || call.equals("free");
    if (last == null) {
      note(Rule.NEVER_MAPPED, null, call, null);
    } else {
      note(teardown ? Rule.TORN_DOWN_TWICE : Rule.USED_AFTER_TEARDOWN, last, call, gone(last));
    }
  }

  /** Name the memory that a pool's piece was cut from: what the pool's users do with its pieces is not heard. */
  private void notTaken(String call, long first, long length) {
    Tracked of = null;
    for (Tracked each : ledger.live()) {
      if (each.coherent() && each.device.equals(device.name) && each.isOf(device.context.machine()) && each.holds(first)) {
        of = each;
      }
    }
    String where = of == null ? "" : "; it is a piece of the coherent memory " + Hex.range(of.dmaAddress, of.length);
    reports.note(Rule.TORN_DOWN_TWICE, device.name, first, length, call + "() of a piece that its pool has already" + where, made(of));
  }

  private void stillLinked(@Nullable Tracked last) {
    List<Link> links = last == null ? List.of() : last.all();
    Link first = links.isEmpty() ? null : links.getFirst();
    reports.note(
        Rule.FREED_WHILE_LINKED,
        device.name,
        last == null ? 0 : last.dmaAddress,
        last == null ? 0 : last.length,
        links.size() + " ranges are linked" + (first == null ? "" : ", the first at offset " + Hex.of(first.offset) + " with " + Hex.of(first.length) + " bytes"),
        first == null ? made(last) : first.linkedAt);
  }

  private void notLinked(Rule rule, @Nullable Tracked last, long offset, long length) {
    Tracked.Gone before = last == null ? null : last.unlinkOf(offset);
    reports.note(
        rule,
        device.name,
        offset,
        length,
        "nothing is linked at this offset" + (before == null ? "" : ": it was unlinked earlier"),
        before == null ? made(last) : before.at());
  }

  private void notMemory(String call, long phys, long length) {
    Link earlier = uses.before(phys);
    if (device.memory.regionOf(phys, 1) != MemoryRegion.ABSENT && device.memory.regionOf(phys, length) == MemoryRegion.ABSENT) {
      reports.note(Rule.NOT_MEMORY, device.name, phys, length, call + " of a range that begins in memory and leaves the block or piece of it", null);
    } else if (earlier == null) {
      reports.note(Rule.NOT_MEMORY, device.name, phys, length, call + " of an address that never was mapped before", null);
    } else {
      reports.note(
          Rule.FREED_MEMORY,
          device.name,
          phys,
          length,
          call + " of memory that was mapped as " + Hex.range(earlier.owner.dmaAddress + earlier.offset, earlier.length),
          earlier.linkedAt);
    }
  }

  private static @Nullable Origin made(@Nullable Tracked tracked) {
    return tracked == null ? null : tracked.made;
  }

  private static @Nullable Origin gone(@Nullable Tracked tracked) {
    if (tracked == null) {
      return null;
    }
    Origin at = tracked.tornDown;
    return at == null ? tracked.made : at;
  }
}
