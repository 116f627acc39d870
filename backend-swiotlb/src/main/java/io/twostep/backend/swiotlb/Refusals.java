package io.twostep.backend.swiotlb;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Says why a device is not served: one line with device, range, rule and remedy. */
final class Refusals {
  private final String device;

  Refusals(String device) {
    this.device = device;
  }

  DmaMappingException exhausted(long phys, long length, int ranges, long most) {
    return refused(
        Reason.BOUNCE_EXHAUSTED,
        phys,
        length,
        ranges,
        "no slots are free just now; unmap something, or set a larger max-size (longest mapping: 0x%x)".formatted(most));
  }

  DmaMappingException noMemory(long phys, long length, int ranges, long areaBytes, SlotReach reach) {
    return refused(
        Reason.BOUNCE_EXHAUSTED,
        phys,
        length,
        ranges,
        "there is no contiguous memory of 0x%x bytes within the device's reach, %s, for more slots; free some, or set a smaller size".formatted(areaBytes, reach));
  }

  DmaMappingException tooFar(long phys, long length, int ranges, SlotReach reach) {
    return refused(
        Reason.OUT_OF_REACH,
        phys,
        length,
        ranges,
        "slots would lie beyond the device's reach, %s, where this machine has no memory; widen the device's mask".formatted(reach));
  }

  DmaMappingException tooLarge(long phys, long length, int ranges, long most) {
    return refused(
        Reason.BOUNCE_TOO_LARGE,
        phys,
        length,
        ranges,
        "even an empty pool holds only 0x%x; split it, set a larger size or fewer areas".formatted(most));
  }

  DmaMappingException quota(long phys, long length, int ranges, long quota) {
    return refused(
        Reason.QUOTA, phys, length, ranges, "the device would hold more than its quota of 0x%x bytes; unmap something, or set a larger quota".formatted(quota));
  }

  DmaMappingException forbidden(long phys, long length, int ranges) {
    return refused(
        Reason.BOUNCE_FORBIDDEN,
        phys,
        length,
        ranges,
        "it cannot be mapped in place and the caller forbade bouncing; align it, allocate it within reach, or drop REQUIRE_COHERENT");
  }

  DmaMappingException windowBounces(long length) {
    return new DmaMappingException(
        Reason.UNSUPPORTED, "%s: a window, or 0x%x bytes of one, cannot be had: everything linked there would have to be bounced; use reservations or transfers".formatted(device, length));
  }

  DmaMappingException cut(long offset, long length, long pieceOffset, long pieceLength) {
    return new DmaMappingException(
        Reason.NOT_SPLITTABLE,
        "%s: cannot unlink 0x%x+0x%x: an edge lies inside the bounced piece 0x%x+0x%x; unlink the whole piece".formatted(device, offset, length, pieceOffset, pieceLength));
  }

  DmaMappingException bitsBeyondArea(long wanted, long areaBytes) {
    return new DmaMappingException(
        Reason.UNSUPPORTED,
        "%s: the device or its granule wants slots aligned to 0x%x, an area has 0x%x; set a larger size or fewer areas".formatted(device, wanted, areaBytes));
  }

  DmaMappingException quotaBelowOne(long quota) {
    return new DmaMappingException(Reason.UNSUPPORTED, "%s: a quota of 0x%x bytes does not hold one buffer; set a larger quota".formatted(device, quota));
  }

  /** Says that the caller closed a segment, or confined it to another thread, of which bytes are needed now. */
  IllegalStateException segmentGone(String what, MemorySegment segment, long length, @Nullable RuntimeException cause) {
    return new IllegalStateException(
        "%s: cannot %s 0x%x bytes: %s"
            .formatted(
                device,
                what,
                length,
                segment.scope().isAlive()
                    ? "it is confined to another thread; map, sync and unmap it on the thread that owns it"
                    : "its arena was closed; keep it open from map to unmap"),
        cause);
  }

  /** Refuses bytes that lie in {@code ranges} ranges, the first of which begins at {@code phys}; {@link DeviceSlots#SEGMENT} for bytes without a physical address. */
  private DmaMappingException refused(Reason reason, long phys, long length, int ranges, String why) {
    String what =
        switch (ranges) {
          case DeviceSlots.SEGMENT -> "a segment of 0x%x bytes".formatted(length);
          case 1 -> "0x%x+0x%x".formatted(phys, length);
          default -> "%d ranges of 0x%x bytes together, the first at 0x%x".formatted(ranges, length, phys);
        };
    return new DmaMappingException(reason, "%s: cannot bounce %s: %s".formatted(device, what, why));
  }
}
