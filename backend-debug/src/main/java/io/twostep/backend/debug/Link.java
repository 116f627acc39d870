package io.twostep.backend.debug;

import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MemoryRegion;
import org.jspecify.annotations.Nullable;

/** One range of memory that a mapping or window holds, as the checker saw it go by. Guarded by its {@link Tracked}, but for what the {@link Uses} guard. */
final class Link {
  final Tracked owner;
  final long id;
  final long offset;
  final long length;

  /** First byte, or -1 for a segment that is not the machine's. */
  final long phys;

  final int flags;
  final @Nullable Origin linkedAt;
  boolean published;

  /** What the CPU has taken over and not handed back, in offsets as this link's; the smallest range that holds all of it. None if both are the same. */
  long cpuFrom;

  long cpuTo;

  /** Set once another mapping of the same bytes may write them, and never cleared. */
  volatile boolean contended;

  /** What it lies in; null for a segment that is not the machine's. */
  @Nullable MemoryRegion region;

  /** What it held when the device got it, or null if that is not judged; shared by the parts of what was one link, which began at {@link #sumsFrom}. */
  @Nullable PartSums sums;

  long sumsFrom;

  Link(Tracked owner, long id, long offset, long length, long phys, int flags, @Nullable Origin linkedAt, @Nullable MemoryRegion region) {
    this.owner = owner;
    this.id = id;
    this.offset = offset;
    this.length = length;
    this.phys = phys;
    this.flags = flags;
    this.linkedAt = linkedAt;
    this.region = region;
  }

  /** Let go of all but where it was: links that are gone are remembered, and need not keep memory or a machine. */
  void drop() {
    region = null;
    sums = null;
  }

  /** Return a part of this link as a link of its own. */
  Link part(long id, long from, long to) {
    return part(id, from, to, flags);
  }

  /** Return a part of this link as a link of its own, with other flags. */
  Link part(long id, long from, long to, int changed) {
    Link part = new Link(owner, id, from, to - from, phys == -1 ? -1 : phys + (from - offset), changed, linkedAt, region);
    part.published = published;
    part.cpuFrom = Math.clamp(cpuFrom, from, to);
    part.cpuTo = Math.clamp(cpuTo, from, to);
    part.contended = contended;
    part.sums = sums;
    part.sumsFrom = sumsFrom;
    return part;
  }

  /** Tell whether it has bytes of a range. */
  boolean reaches(long from, long bytes) {
    return offset < from + bytes && from < end();
  }

  long end() {
    return offset + length;
  }

  /** Return the address by which reports name a byte: the physical one, or the device's of a segment that is not the machine's. */
  long firstByte(long at) {
    return phys == -1 ? owner.dmaAddress + at : phys + (at - offset);
  }

  boolean deviceWrites() {
    return (flags & MapFlags.DEVICE_WRITES) != 0;
  }

  boolean deviceOnlyReads() {
    return (flags & MapFlags.ACCESS) == MapFlags.DEVICE_READS;
  }
}
