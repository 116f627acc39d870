package io.twostep.backend.swiotlb;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;

/** Says why a device is not served: one line with device, range, rule and remedy. */
final class Refusals {
  private final String device;

  Refusals(String device) {
    this.device = device;
  }

  DmaMappingException exhausted(long length, long most) {
    return refused(
        Reason.BOUNCE_EXHAUSTED, length, "no slots are free just now; unmap something, or set a larger max-size (longest mapping: 0x%x)".formatted(most));
  }

  DmaMappingException noMemory(long length, long areaBytes) {
    return refused(
        Reason.BOUNCE_EXHAUSTED, length, "there is no contiguous memory of 0x%x bytes within the device's reach for more slots; free some, or set a smaller size".formatted(areaBytes));
  }

  DmaMappingException tooLarge(long length, long most) {
    return refused(
        Reason.BOUNCE_TOO_LARGE, length, "even an empty pool holds only 0x%x; split it, set a larger size or fewer areas".formatted(most));
  }

  DmaMappingException quota(long length, long quota) {
    return refused(Reason.QUOTA, length, "the device would hold more than its quota of 0x%x bytes; unmap something".formatted(quota));
  }

  DmaMappingException forbidden(long phys, long length) {
    return new DmaMappingException(
        Reason.BOUNCE_FORBIDDEN,
        "%s: 0x%x+0x%x cannot be mapped in place and the caller forbade bouncing it; align it, allocate it within reach, or drop REQUIRE_COHERENT"
            .formatted(device, phys, length));
  }

  DmaMappingException windowBounces(long length) {
    return new DmaMappingException(
        Reason.UNSUPPORTED, "%s: a window of 0x%x bytes cannot be had: everything linked in it would have to be bounced; use reservations or transfers".formatted(device, length));
  }

  DmaMappingException cut(long offset, long length, long pieceOffset, long pieceLength) {
    return new DmaMappingException(
        Reason.NOT_SPLITTABLE,
        "%s: cannot unlink 0x%x+0x%x: an edge lies inside the bounced piece 0x%x+0x%x".formatted(device, offset, length, pieceOffset, pieceLength));
  }

  DmaMappingException bitsBeyondArea(long wanted, long areaBytes) {
    return new DmaMappingException(
        Reason.UNSUPPORTED,
        "%s: the device or its granule wants slots aligned to 0x%x, an area has 0x%x; set a larger size or fewer areas".formatted(device, wanted, areaBytes));
  }

  DmaMappingException quotaBelowOne(long quota) {
    return new DmaMappingException(Reason.UNSUPPORTED, "%s: a quota of 0x%x bytes does not hold one buffer; set a larger quota".formatted(device, quota));
  }

  IllegalArgumentException readOnly(long length) {
    return new IllegalArgumentException(
        "%s: a read-only segment of 0x%x bytes cannot be mapped for a device that writes it; map it TO_DEVICE".formatted(device, length));
  }

  private DmaMappingException refused(Reason reason, long length, String why) {
    return new DmaMappingException(reason, "%s: cannot bounce 0x%x bytes: %s".formatted(device, length, why));
  }
}
