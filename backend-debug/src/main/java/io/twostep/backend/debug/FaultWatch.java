package io.twostep.backend.debug;

import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.MapFlags;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** Finds out what a refused access of a device meant: which mapping it ran out of, came too late or too early for. */
final class FaultWatch implements Iommu.FaultListener {
  /** How far beyond the end of a mapping an access counts as having run over it. */
  private static final long OVERRUN = 65_536;

  private final SpaceLedger space;
  private final Uses uses;
  private final Reports reports;
  private final Set<DeviceAddress> devices = ConcurrentHashMap.newKeySet();

  FaultWatch(SpaceLedger space, Uses uses, Reports reports) {
    this.space = space;
    this.uses = uses;
    this.reports = reports;
  }

  void watch(DeviceAddress device) {
    devices.add(device);
  }

  @Override
  public void fault(FaultRecord fault) {
    if (!devices.contains(fault.device())) {
      return;
    }
    Tracked live = space.liveAt(fault.iova());
    if (live != null && !live.ending) {
      if (!live.partly) {
        inLive(fault, live);
      }
      return;
    }
    Tracked last = live != null ? live : space.lastAt(fault.iova());
    if (last != null) {
      note(
          last.coherent() ? Rule.DEVICE_USED_FREED_COHERENT : Rule.DEVICE_USED_UNMAPPED,
          fault,
          "it was " + Hex.range(last.dmaAddress, last.length) + " of " + last.device + (last.takenBack ? ", whose memory was taken back" : ""),
          last.tornDown == null ? last.made : last.tornDown);
      return;
    }
    outside(fault);
  }

  private void inLive(FaultRecord fault, Tracked live) {
    long offset = fault.iova() - live.dmaAddress;
    String where = "offset " + Hex.of(offset) + " of " + Hex.range(live.dmaAddress, live.length);
    Link link = live.linkAt(Math.max(0, offset));
    if (link == null) {
      Tracked.Gone gone = live.unlinkOf(offset);
      if (gone != null) {
        note(Rule.DEVICE_USED_UNLINKED, fault, where + ", unlinked", gone.at());
      } else {
        note(offset >= live.length ? Rule.DEVICE_USED_BEYOND_END : Rule.DEVICE_USED_HOLE, fault, where, live.made);
      }
    } else if (!link.published || fault.cause() == Cause.NOT_PUBLISHED) {
      note(Rule.DEVICE_USED_UNSYNCED, fault, where, link.linkedAt);
    } else if ((link.flags & (fault.write() ? MapFlags.DEVICE_WRITES : MapFlags.DEVICE_READS)) == 0) {
      note(Rule.DEVICE_USED_WRONG_DIRECTION, fault, where + ", mapped for the device to " + (fault.write() ? "read" : "write"), link.linkedAt);
    } else if (offset < 0 || offset >= live.length) {
      note(Rule.DEVICE_USED_BEYOND_END, fault, where, live.made);
    } else {
      note(Rule.BELOW_TRANSLATION_LOST, fault, where, link.linkedAt);
    }
  }

  private void outside(FaultRecord fault) {
    List<Link> physical = uses.within(fault.iova(), fault.iova());
    Tracked before = space.endingBelow(fault.iova(), OVERRUN);
    if (!physical.isEmpty()) {
      Link link = physical.getFirst();
      note(
          Rule.DEVICE_USED_PHYSICAL_ADDRESS,
          fault,
          "physical " + Hex.range(link.phys, link.length) + " is mapped at " + Hex.of(link.owner.dmaAddress + link.offset),
          link.linkedAt);
    } else if (before != null) {
      note(Rule.DEVICE_USED_BEYOND_END, fault, (fault.iova() - before.lastByte()) + " bytes beyond " + Hex.range(before.dmaAddress, before.length), before.made);
    } else {
      note(Rule.DEVICE_USED_UNKNOWN_ADDRESS, fault, "nothing is or lately was mapped there", null);
    }
  }

  private void note(Rule rule, FaultRecord fault, String detail, @Nullable Origin earlier) {
    reports.note(
        rule,
        fault.device().text(),
        fault.iova(),
        1,
        (fault.write() ? "write" : "read") + " refused with " + fault.cause() + ": " + detail,
        earlier);
  }
}
