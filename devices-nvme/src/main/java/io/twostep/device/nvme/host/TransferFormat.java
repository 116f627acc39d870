package io.twostep.device.nvme.host;

/** How a command's data pointer is written. */
public enum TransferFormat {
  /** Physical region pages. */
  PRP,
  /** Scatter gather list. */
  SGL,
  /** Neither can describe the request on this controller: it must be split. */
  NEITHER;

  /**
   * Choose the format of one request.
   *
   * <p>PRPs where they do, for their lists are dense; an SGL where PRPs cannot describe the request, where the metadata needs one, or
   * where the ranges are so long that descriptors are fewer than page entries. One range is one descriptor inside the command.
   *
   * @param sgl what the controller and queue allow; admin queues allow none
   * @param firstAddress bits of the first range's address below the page, for alignment
   * @param gapMask see {@link GapMask}
   * @param pageMask the controller's page size less one
   * @param alignmentMask bits that all starts and lengths have, ORed together
   * @param length bytes of the request
   * @param ranges most bus ranges that the request may become; 1 if it becomes one window
   * @param metadataRanges bus ranges of the metadata; 0 for none
   * @param threshold average bytes of a range from which an SGL is preferred; 0 for never
   */
  public static TransferFormat choose(
      SglSupport sgl,
      long firstAddress,
      long gapMask,
      long pageMask,
      long alignmentMask,
      long length,
      int ranges,
      int metadataRanges,
      long threshold) {
    boolean prpFits = GapMask.permits(gapMask, pageMask) && (firstAddress & 3) == 0 && metadataRanges <= 1;
    boolean sglFits = sgl.permits(alignmentMask) && (metadataRanges <= 1 || sgl.metadata());
    if (!prpFits) {
      return sglFits ? SGL : NEITHER;
    }
    // The average is rounded up, as in ceil(length / ranges) >= threshold.
    boolean preferred = threshold != 0 && ranges > 0 && length > (threshold - 1) * ranges;
    return sglFits && preferred ? SGL : PRP;
  }
}
