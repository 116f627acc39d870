package io.twostep.dma;

/**
 * Several physical ranges that are exactly one range for the device: no byte between them, before them or behind them, and never cut to segment limits.
 *
 * <p>A single range always is. Several are, behind an IOMMU, if every inner edge lies on {@link DmaLimits#granule} (and keeps the low bits of {@link
 * DeviceLimits#minAlignMask}): they become one window. Where nothing translates, and for peers reached by bus address, their DMA addresses must happen to follow each other. Peers
 * of several devices, or such peers and anything else, are never one range. Everything else is refused with NOT_LINEAR, unless {@link LinearPolicy#MAY_BOUNCE} is asked for.
 *
 * <p>For rings, tables and firmware images, which a device reads by one base address. Used by one thread at a time; reusable after {@link #unmap}; a handle that
 * does not bounce allocates nothing when it is warm.
 *
 * <pre>{@code
 * LinearMapping linear = mapper.newLinear();                  // once
 * linear.map(block.ranges(), BIDIRECTIONAL, NONE, LinearPolicy.IN_PLACE);
 * start(linear.dmaAddress(), linear.length());
 * ...                                                         // the device is done
 * linear.unmap();
 * }</pre>
 */
public final class LinearMapping extends RequestHandle {
  private final LinearRequest linear = new LinearRequest(this, request);
  private long dmaAddress;

  LinearMapping(DmaMapper mapper) {
    super(mapper);
  }

  /**
   * Map ranges as one range for the device.
   *
   * @param source at least one range; may change when this has returned
   * @param attributes {@link DmaAttributes}
   * @param policy whether memory that cannot be one range as it is may be copied together
   * @return the address the device uses for the first byte
   * @throws DmaMappingException NOT_LINEAR if the ranges cannot be one range, or any reason for which a range cannot be mapped; with MAY_BOUNCE also
   *     BOUNCE_FORBIDDEN for REQUIRE_COHERENT, BOUNCE_TOO_LARGE, BOUNCE_EXHAUSTED and QUOTA. Nothing is mapped then
   * @throws IllegalArgumentException for an empty source, a range of length 0 or that wraps, or a source that is seen to differ when it is read again
   * @throws IllegalStateException unless idle
   */
  public long map(PhysRanges source, DmaDirection direction, int attributes, LinearPolicy policy) {
    int flags = requestFlags(direction, attributes);
    claim("map");
    try {
      dmaAddress = linear.map(source, flags, policy);
    } catch (RuntimeException e) {
      join(e, request.takeDown(own()));
      abandon(e);
      throw e;
    }
    activate();
    return dmaAddress;
  }

  /** Return the address the device uses for the first byte. */
  public long dmaAddress() {
    requireActive("dmaAddress");
    return dmaAddress;
  }

  /** Return the bytes mapped, of all ranges together. */
  public long length() {
    requireActive("length");
    return request.bytes();
  }

  /**
   * Unmap and go idle; the memory is the caller's again once {@code batch} completes. What may be taken back by its owner is unmapped at once, as without a batch.
   *
   * @throws IllegalStateException unless mapped, or if the batch holds work of another address space; the mapping stays as it is then
   */
  public void unmap(InvalidationBatch batch) {
    tearDownWith("unmap", batch);
  }
}
