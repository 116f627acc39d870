package io.twostep.backend.debug;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Follows whose memory is: sums what the device is to read when it is handed over, and compares when it comes back.
 *
 * <p>Only memory that nobody but the CPU may change can be judged: what the device only reads, and what is wholly bounced where nothing translates.
 */
final class Handovers {
  private final Device device;
  private final Reports reports;
  private final Contents contents;
  private final WrittenBytes written;
  private final Uses uses;
  private final boolean reading;

  Handovers(Device device, Reports reports, WrittenBytes written, Uses uses, boolean reading) {
    this.device = device;
    this.reports = reports;
    this.contents = new Contents(device.memory);
    this.written = written;
    this.uses = uses;
    this.reading = reading;
  }

  /** Judge memory before it is mapped or linked. */
  void before(long phys, long length, int flags) {
    if (Device.isShared(flags)) {
      return;
    }
    long line = device.memory.cacheLine();
    long last = phys + (length - 1);
    boolean writes = (flags & MapFlags.DEVICE_WRITES) != 0;
    int overlaps = 0;
    for (Link other : uses.within(phys & -line, last | line - 1)) {
      if (Device.isShared(other.flags)) {
        continue;
      }
      boolean sharesBytes = Long.compareUnsigned(other.phys, last) <= 0 && Long.compareUnsigned(other.phys + (other.length - 1), phys) >= 0;
      overlaps += sharesBytes ? 1 : 0;
      if (writes || other.deviceWrites()) {
        overlap(phys, length, other, sharesBytes);
      }
    }
    if (overlaps >= MOST_OVERLAPS) {
      reports.crime(Rule.TOO_MANY_OVERLAPS, device.name, phys, length, overlaps + " live mappings have some of these bytes", firstOrigin(phys, last));
    }
  }

  /** As many as the reference tolerates. */
  static final int MOST_OVERLAPS = 7;

  private @Nullable Origin firstOrigin(long phys, long last) {
    List<Link> found = uses.within(phys, last);
    return found.isEmpty() ? null : found.getLast().linkedAt;
  }

  private void overlap(long phys, long length, Link other, boolean sharesBytes) {
    if (sharesBytes) {
      other.contended = true;
      reports.crime(
          Rule.OVERLAPPING_WRITE,
          device.name,
          phys,
          length,
          "physical " + Hex.range(other.phys, other.length) + " is mapped for " + other.owner.device + " at "
              + Hex.of(other.owner.dmaAddress + other.offset) + (other.deviceWrites() ? ", which may write it" : ""),
          other.linkedAt);
    } else if (!device.coherent) {
      reports.crime(
          Rule.CACHE_LINE_SHARED,
          device.name,
          phys,
          length,
          "physical " + Hex.range(other.phys, other.length) + " of " + other.owner.device + " lies in the same line of " + device.memory.cacheLine() + " bytes",
          other.linkedAt);
    }
  }

  /** Judge bytes that the device is about to get for reading. */
  void requireWritten(long phys, long length, int flags) {
    if ((flags & MapFlags.ACCESS) != MapFlags.DEVICE_READS || Device.isShared(flags)) {
      return;
    }
    long at = written.firstUnwritten(device.memory, phys, length);
    if (at != -1) {
      reports.crime(
          Rule.SENT_UNWRITTEN, device.name, phys, length, "the first byte that nobody wrote is at physical " + Hex.of(at) + ", " + (at - phys) + " bytes in", null);
    }
  }

  /** The device owns the link from now on. */
  void toDevice(Link link, int below) {
    link.cpuOwned = false;
    link.summed = reading && isJudged(link, below);
    if (link.summed) {
      Long sum = sum(link);
      link.summed = sum != null;
      link.sum = sum == null ? 0 : sum;
    }
  }

  private boolean isJudged(Link link, int below) {
    if (Device.isShared(link.flags)) {
      return false;
    }
    return link.deviceOnlyReads() || ((below & MapFlags.BOUNCED) != 0 && !device.translates && (link.flags & DmaAttributes.OVERWRITE) == 0);
  }

  private @Nullable Long sum(Link link) {
    if (link.phys != -1) {
      return isThere(link) ? contents.sum(link.phys, link.length) : null;
    }
    MemorySegment foreign = link.owner.foreign;
    return foreign != null && foreign.scope().isAlive() && foreign.isAccessibleBy(Thread.currentThread()) ? Contents.sum(foreign) : null;
  }

  private boolean isThere(Link link) {
    MemoryRegion region = link.region;
    return region != null && device.memory.regionOf(link.phys, link.length) == region;
  }

  /** Tell whether what the device owns is as it was when it was handed over; null links are not judged. */
  boolean isUntouched(Link link) {
    if (!link.summed || link.cpuOwned || link.contended || !link.published) {
      return true;
    }
    Long now = sum(link);
    return now == null || now == link.sum;
  }

  /** The CPU has the link back for good. */
  void back(Link link, int below, boolean ending) {
    Tracked owner = link.owner;
    if (ending && !isThereStill(link)) {
      reports.note(
          Rule.MEMORY_GONE,
          device.name,
          link.phys == -1 ? owner.dmaAddress : link.phys,
          link.length,
          link.phys == -1 ? "the arena of a foreign segment was closed" : "its block was closed or replaced",
          link.linkedAt);
    } else if (!isUntouched(link)) {
      boolean bounced = (below & MapFlags.BOUNCED) != 0;
      reports.note(
          bounced ? Rule.BOUNCE_WITHOUT_SYNC : Rule.CPU_WROTE_TOO_LATE,
          device.name,
          link.phys == -1 ? owner.dmaAddress : link.phys,
          link.length,
          "its bytes are not those that were handed over, and syncForDevice was not called since"
              + (bounced && link.deviceWrites() ? "; they are lost, because the device's copy replaces them" : ""),
          link.linkedAt);
    }
    if (link.deviceWrites() && link.phys != -1) {
      written.written(link.phys, link.length);
    }
  }

  /** The CPU reads what the device wrote, and may hand it on. */
  void taken(Link link) {
    if (link.deviceWrites() && link.phys != -1) {
      written.written(link.phys, link.length);
    }
  }

  private boolean isThereStill(Link link) {
    if (link.phys != -1) {
      return isThere(link);
    }
    MemorySegment foreign = owner(link);
    return foreign == null || foreign.scope().isAlive();
  }

  private static @Nullable MemorySegment owner(Link link) {
    return link.owner.foreign;
  }
}
