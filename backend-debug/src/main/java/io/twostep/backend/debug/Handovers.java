package io.twostep.backend.debug;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
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
  private final WrittenBytes written;
  private final Uses uses;
  private final boolean reading;

  Handovers(Device device, Reports reports, WrittenBytes written, Uses uses, boolean reading) {
    this.device = device;
    this.reports = reports;
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
    List<Link> sharing = new ArrayList<>(0);
    for (Link other : uses.within(phys & -line, last | line - 1)) {
      if (Device.isShared(other.flags)) {
        continue;
      }
      boolean sharesBytes = Long.compareUnsigned(other.phys, last) <= 0 && Long.compareUnsigned(other.phys + (other.length - 1), phys) >= 0;
      if (sharesBytes) {
        sharing.add(other);
      }
      if (writes || other.deviceWrites()) {
        overlap(phys, length, other, sharesBytes);
      }
    }
    int deepest = sharing.size() < MOST_OVERLAPS ? 0 : Uses.deepest(sharing, phys, length);
    if (deepest >= MOST_OVERLAPS) {
      reports.crime(Rule.TOO_MANY_OVERLAPS, device.name, phys, length, deepest + " live mappings have one of these bytes", sharing.getLast().linkedAt);
    }
  }

  /** As many as the reference tolerates. */
  static final int MOST_OVERLAPS = 7;

  private void overlap(long phys, long length, Link other, boolean sharesBytes) {
    if (sharesBytes) {
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

  /** The device owns the bytes at {@code from .. to} of the link from now on. */
  void toDevice(Link link, int below, long from, long to) {
    if (from <= link.cpuFrom) {
      link.cpuFrom = Math.max(link.cpuFrom, Math.min(to, link.cpuTo));
    } else if (to >= link.cpuTo) {
      link.cpuTo = Math.max(link.cpuFrom, Math.min(from, link.cpuTo));
    }
    if (!reading || !isJudged(link, below) || !isReadable(link)) {
      link.sums = null;
    } else if (link.sums == null) {
      PartSums sums = new PartSums(Math.max(link.phys, 0), link.length);
      link.sums = sums;
      link.sumsFrom = link.offset;
      sums.take(source(link), 0, link.length);
    } else {
      link.sums.take(source(link), from - link.sumsFrom, to - link.sumsFrom);
    }
  }

  /** The device owns all of the link from now on. */
  void toDevice(Link link, int below) {
    toDevice(link, below, link.offset, link.end());
  }

  /** Memory of a layer above is that layer's to fill: it tells nobody below when it does. */
  private boolean isJudged(Link link, int below) {
    if (Device.isShared(link.flags) || (link.flags & MapFlags.OWNED) != 0) {
      return false;
    }
    return link.deviceOnlyReads() || ((below & MapFlags.BOUNCED) != 0 && !device.translates && (link.flags & DmaAttributes.OVERWRITE) == 0);
  }

  private boolean isReadable(Link link) {
    if (link.phys != -1) {
      return isThere(link);
    }
    MemorySegment foreign = link.owner.foreign;
    return foreign != null && foreign.scope().isAlive() && foreign.isAccessibleBy(Thread.currentThread());
  }

  /** Return the memory behind the sums of a link. */
  private PartSums.Source source(Link link) {
    MemorySegment foreign = link.owner.foreign;
    if (link.phys == -1 && foreign != null) {
      return (position, to, length) -> MemorySegment.copy(foreign, position, to, 0, length);
    }
    long phys = link.phys - (link.offset - link.sumsFrom);
    return (position, to, length) -> device.memory.read(phys + position, to, 0, length);
  }

  private boolean isThere(Link link) {
    MemoryRegion region = link.region;
    return region != null && device.memory.regionOf(link.phys, link.length) == region;
  }

  /** Return what changed of the bytes at {@code from .. to} that the device owns, in offsets as the link's; null if nothing did, and for links that are not judged. */
  PartSums.@Nullable Change change(Link link, long from, long to) {
    PartSums sums = link.sums;
    if (sums == null || link.contended || !link.published || !isReadable(link)) {
      return null;
    }
    long base = link.sumsFrom;
    PartSums.Change found = sums.change(source(link), from - base, to - base, link.cpuFrom - base, link.cpuTo - base);
    return found == null ? null : new PartSums.Change(base + found.position(), found.length());
  }

  /** The CPU has the link back for good; after an undo nothing of the device's replaces what the CPU wrote. */
  void back(Link link, int below, boolean ending, boolean undo) {
    if (ending && !isThereStill(link)) {
      reports.note(
          Rule.MEMORY_GONE,
          device.name,
          link.firstByte(link.offset),
          link.length,
          link.phys == -1 ? "the arena of a foreign segment was closed" : "its block was closed or replaced",
          link.linkedAt);
    } else if (!undo) {
      requireUnchanged(link, below);
    }
    if (link.deviceWrites() && link.phys != -1) {
      written.written(link.phys, link.length);
    }
  }

  private void requireUnchanged(Link link, int below) {
    PartSums.Change change = change(link, link.offset, link.end());
    if (change != null) {
      boolean bounced = (below & MapFlags.BOUNCED) != 0;
      reports.note(
          bounced ? Rule.BOUNCE_WITHOUT_SYNC : Rule.CPU_WROTE_TOO_LATE,
          device.name,
          link.firstByte(change.position()),
          change.length(),
          "these bytes are not those that were handed over, and syncForDevice was not called since"
              + (bounced && link.deviceWrites() ? "; they are lost, because the device's copy replaces them" : ""),
          link.linkedAt);
    }
  }

  /** The CPU reads what the device wrote at {@code from .. to}, and may hand it on. */
  void taken(Link link, long from, long to) {
    boolean none = link.cpuFrom == link.cpuTo;
    link.cpuFrom = none ? from : Math.min(link.cpuFrom, from);
    link.cpuTo = none ? to : Math.max(link.cpuTo, to);
    if (link.deviceWrites() && link.phys != -1) {
      written.written(link.phys + (from - link.offset), to - from);
    }
  }

  private boolean isThereStill(Link link) {
    if (link.phys != -1) {
      return isThere(link);
    }
    MemorySegment foreign = link.owner.foreign;
    return foreign == null || foreign.scope().isAlive();
  }
}
