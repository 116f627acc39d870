package io.twostep.device.nvme;

import io.twostep.dma.DmaMapper;

/**
 * How a driver maps the memory of its requests: the seam at which mapping strategies are compared.
 *
 * <p>{@link #twoStep()} is what the driver is made for and what it uses unless told otherwise, by {@link NvmeConfig#withRequestMapper}. Others, such
 * as a scatter list or a mapping per page over the same {@link DmaMapper}, implement this interface and {@link RequestMapping} outside the driver.
 * Thread-safe.
 */
public interface RequestMapper {
  /** Return the name for reports. */
  String name();

  /**
   * Make the mapping of one request slot; called once per command tag when the driver starts, and reused for every command with that tag.
   *
   * @param mapper the device's way to memory
   * @param maxBytes the most bytes one command moves
   */
  RequestMapping newMapping(DmaMapper mapper, long maxBytes);

  /**
   * Tell whether a request whose inner edges lie on the merge boundary becomes one DMA range behind an IOMMU; the driver then prefers one SGL
   * descriptor to a list of pages.
   */
  boolean merges();

  /** Return the driver's own way: one {@link io.twostep.dma.DmaTransfer} per request, no list of ranges anywhere. */
  static RequestMapper twoStep() {
    return TwoStepMapper.INSTANCE;
  }
}
