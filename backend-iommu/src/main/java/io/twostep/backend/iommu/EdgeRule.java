package io.twostep.backend.iommu;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.PhysicalMemory;

/**
 * Says which ranges may be rounded out to the granule, because what comes with them is nobody else's.
 *
 * <p>For a trusted device and granules up to a frame: all. An untrusted device gets whole granules only. Where a granule exceeds a frame, the granules around the edges
 * must belong to the same piece of memory. Granules that a layer owns whole always may.
 */
final class EdgeRule {
  private final PhysicalMemory memory;
  private final Refusals refusals;
  private final long granule;
  private final boolean untrusted;
  private final boolean strict;

  private EdgeRule(PhysicalMemory memory, Refusals refusals, long granule, boolean untrusted) {
    this.memory = memory;
    this.refusals = refusals;
    this.granule = granule;
    this.untrusted = untrusted;
    this.strict = untrusted || granule > memory.frameSize();
  }

  static EdgeRule of(AttachContext context, long granule, boolean untrusted, Refusals refusals) {
    return new EdgeRule(context.machine().memory(), refusals, granule, untrusted);
  }

  /** Tells whether there is anything to check. */
  boolean isStrict() {
    return strict;
  }

  boolean allows(long phys, long length, int flags) {
    return !strict || (flags & MapFlags.OWNED) != 0 || ((phys | length) & granule - 1) == 0 || holdsWhole(phys, length);
  }

  /** Refuses a range whose rounding would show the device what it must not see. */
  void require(long phys, long length, int flags) {
    if (strict && !allows(phys, length, flags)) {
      throw refusals.edges(phys, length, granule, untrusted);
    }
  }

  private boolean holdsWhole(long phys, long length) {
    if (untrusted) {
      return false;
    }
    long first = phys & -granule;
    long bytes = (phys + length - first + granule - 1) & -granule;
    return memory.regionOf(first, bytes).kind() != MemoryKind.ABSENT;
  }
}
