package io.twostep.backend.debug;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.PhysicalMemory;

/** What one attached device is, as far as rules depend on it. */
final class Device {
  final AttachContext context;
  final String name;
  final PhysicalMemory memory;
  final boolean coherent;
  final boolean untrusted;
  final long granule;
  final long unit;
  final boolean translates;
  final long alignMask;
  final long highest;

  Device(AttachContext context, long granule, long unit, boolean translates) {
    this.context = context;
    name = context.device();
    memory = context.machine().memory();
    coherent = context.slot().coherent();
    untrusted = context.untrusted();
    this.granule = granule;
    this.unit = unit;
    this.translates = translates;
    alignMask = Math.max(granule - 1, context.limits().minAlignMask());
    highest = context.highestAddress();
  }

  /** Tell whether memory mapped with these flags is shared at all times by agreement, so that nobody owns it. */
  static boolean isShared(int flags) {
    return (flags & (MapFlags.COHERENT_MEMORY | MapFlags.WINDOW | MapFlags.PEER | DmaAttributes.REQUIRE_COHERENT)) != 0;
  }
}
