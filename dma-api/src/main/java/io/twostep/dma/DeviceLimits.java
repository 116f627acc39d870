package io.twostep.dma;

import java.util.HexFormat;

/**
 * What a device can address and digest, learnt by its driver after probing.
 *
 * @param highestAddress the highest DMA address the device can emit, inclusive (its DMA mask)
 * @param highestCoherentAddress the same for coherent memory
 * @param maxSegmentLength the most bytes one entry may have; positive
 * @param segmentBoundaryMask {@code 2^n - 1}: one entry never crosses a multiple of mask + 1; all ones for none
 * @param maxSegments the most entries one request may have; positive
 * @param minAlignMask {@code 2^n - 1}, n up to 63: these low bits of the physical address are kept in the DMA address
 */
public record DeviceLimits(
    long highestAddress,
    long highestCoherentAddress,
    long maxSegmentLength,
    long segmentBoundaryMask,
    int maxSegments,
    long minAlignMask) {

  /** A device that addresses 64 bits and has no limit on entries. */
  public static final DeviceLimits UNLIMITED = new DeviceLimits(-1L, -1L, Long.MAX_VALUE, -1L, Integer.MAX_VALUE, 0);

  public DeviceLimits {
    requireMask("highestAddress", highestAddress);
    requireMask("highestCoherentAddress", highestCoherentAddress);
    requireMask("segmentBoundaryMask", segmentBoundaryMask);
    if (minAlignMask != 0) {
      requireMask("minAlignMask", minAlignMask);
    }
    if (minAlignMask < 0) {
      throw new IllegalArgumentException("minAlignMask 0x" + HexFormat.of().toHexDigits(minAlignMask) + " keeps every bit, so that no address is left to choose");
    }
    if (maxSegmentLength <= 0 || maxSegments <= 0) {
      throw new IllegalArgumentException(
          "maxSegmentLength " + maxSegmentLength + " and maxSegments " + maxSegments + " must be positive");
    }
  }

  /** Return limits for a device that emits {@code bits} address bits, from 1 to 64, and is otherwise unlimited. */
  public static DeviceLimits ofBits(int bits) {
    if (bits < 1 || bits > 64) {
      throw new IllegalArgumentException("address bits " + bits + " must be 1..64");
    }
    long mask = bits == 64 ? -1L : (1L << bits) - 1;
    return UNLIMITED.withHighestAddress(mask).withHighestCoherentAddress(mask);
  }

  /** Return a copy with another {@link #highestAddress}. */
  public DeviceLimits withHighestAddress(long highest) {
    return new DeviceLimits(
        highest, highestCoherentAddress, maxSegmentLength, segmentBoundaryMask, maxSegments, minAlignMask);
  }

  /** Return a copy with another {@link #highestCoherentAddress}. */
  public DeviceLimits withHighestCoherentAddress(long highest) {
    return new DeviceLimits(highestAddress, highest, maxSegmentLength, segmentBoundaryMask, maxSegments, minAlignMask);
  }

  /** Return a copy with another {@link #maxSegmentLength}. */
  public DeviceLimits withMaxSegmentLength(long length) {
    return new DeviceLimits(
        highestAddress, highestCoherentAddress, length, segmentBoundaryMask, maxSegments, minAlignMask);
  }

  /** Return a copy with another {@link #segmentBoundaryMask}. */
  public DeviceLimits withSegmentBoundaryMask(long mask) {
    return new DeviceLimits(highestAddress, highestCoherentAddress, maxSegmentLength, mask, maxSegments, minAlignMask);
  }

  /** Return a copy with another {@link #maxSegments}. */
  public DeviceLimits withMaxSegments(int segments) {
    return new DeviceLimits(
        highestAddress, highestCoherentAddress, maxSegmentLength, segmentBoundaryMask, segments, minAlignMask);
  }

  /** Return a copy with another {@link #minAlignMask}. */
  public DeviceLimits withMinAlignMask(long mask) {
    return new DeviceLimits(
        highestAddress, highestCoherentAddress, maxSegmentLength, segmentBoundaryMask, maxSegments, mask);
  }

  private static void requireMask(String name, long mask) {
    if (mask == 0 || (mask & (mask + 1)) != 0) {
      throw new IllegalArgumentException(
          name + " 0x" + HexFormat.of().toHexDigits(mask) + " must be of the form 2^n - 1, n >= 1");
    }
  }
}
