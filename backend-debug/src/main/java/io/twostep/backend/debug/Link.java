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
  final @Nullable MemoryRegion region;
  boolean published;
  boolean cpuOwned;

  /** Set once another mapping of the same bytes may write them; guarded by the {@link Uses}. */
  volatile boolean contended;

  boolean summed;
  long sum;

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

  /** Return a part of this link as a link of its own. */
  Link part(long id, long from, long to) {
    return part(id, from, to, flags);
  }

  /** Return a part of this link as a link of its own, with other flags. */
  Link part(long id, long from, long to, int changed) {
    Link part = new Link(owner, id, from, to - from, phys == -1 ? -1 : phys + (from - offset), changed, linkedAt, region);
    part.published = published;
    part.cpuOwned = cpuOwned;
    part.contended = contended;
    return part;
  }

  long end() {
    return offset + length;
  }

  boolean deviceWrites() {
    return (flags & MapFlags.DEVICE_WRITES) != 0;
  }

  boolean deviceOnlyReads() {
    return (flags & MapFlags.ACCESS) == MapFlags.DEVICE_READS;
  }
}
