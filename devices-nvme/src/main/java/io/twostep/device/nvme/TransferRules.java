package io.twostep.device.nvme;

import io.twostep.device.nvme.host.GapMask;
import io.twostep.device.nvme.host.MetadataSglBuilder;
import io.twostep.device.nvme.host.SglSupport;
import io.twostep.device.nvme.host.TransferFormat;
import io.twostep.dma.DmaLimits;

/**
 * What one I/O command of a controller may carry, and how it is described.
 *
 * @param maxBytes the most data bytes
 * @param pageMask inner edges on this boundary can be described by PRPs; all ones for none
 * @param sgl what may be described by SGLs
 * @param maxDescriptors the most SGL descriptors
 * @param mergeMask inner edges on this boundary make a request one DMA range; all ones if nothing merges
 * @param threshold average bytes of a range from which an SGL is preferred; 0 for never
 * @param ownPhys first address of the controller's own memory, where that may not be mixed with other memory in one command
 * @param ownLength its bytes; 0 if it may, or if there is none
 */
record TransferRules(
    long maxBytes, long pageMask, SglSupport sgl, int maxDescriptors, long mergeMask, long threshold, long ownPhys, long ownLength) {
  private static final int SMALLEST_TRANSFER = 4096;
  private static final long LARGEST_TRANSFER = 8L << 20;

  /** Return what this controller, the way to memory and the settings allow together. */
  static TransferRules of(ControllerCore core) {
    DmaLimits limits = core.mapper().limits();
    long most = Math.min(core.facts().maxTransfer(), limits.maxMappingLength());
    long liked = core.config().maxTransfer();
    if (liked == 0) {
      liked = Math.max(SMALLEST_TRANSFER, Math.min(limits.optimalMappingLength(), LARGEST_TRANSFER));
    }
    ControllerMemoryBuffer buffer = core.memoryBuffer();
    ControllerMemoryBuffer apart = buffer == null || buffer.mixesData() ? null : buffer;
    boolean merges = limits.translates() && core.config().requestMapper().merges();
    return new TransferRules(
        Math.min(most, liked),
        core.pageSize() - 1L,
        core.facts().sgl(),
        core.facts().maxDescriptors(),
        merges ? limits.mergeBoundaryMask() : -1L,
        core.config().sglThreshold(),
        apart == null ? 0 : apart.phys(),
        apart == null ? 0 : apart.length());
  }

  /** Return the rules for the metadata of such commands: one range, or a short SGL. */
  TransferRules forMetadata() {
    SglSupport lists = sgl.metadata() ? sgl : SglSupport.NONE;
    return new TransferRules(maxBytes, -1L, lists, MetadataSglBuilder.MAX_RANGES, mergeMask, threshold, ownPhys, ownLength);
  }

  /** Tell whether memory is the controller's own, and may not be mixed with other memory. */
  boolean isApart(long phys) {
    return Long.compareUnsigned(phys - ownPhys, ownLength) < 0;
  }

  /** Tell whether {@code ranges} with these inner edges become one DMA range. */
  boolean merges(int ranges, long gapMask) {
    return ranges == 1 || (mergeMask != -1L && GapMask.permits(gapMask, mergeMask));
  }

  /** Tell whether one command can describe ranges like these. */
  boolean permits(long first, long gapMask, long alignment, int ranges, boolean mayMerge) {
    boolean merged = mayMerge && merges(ranges, gapMask);
    boolean prp = (first & 3) == 0 && (merged || GapMask.permits(gapMask, pageMask));
    return prp || (sgl.permits(alignment) && (merged || ranges <= maxDescriptors));
  }

  TransferFormat choose(BioScan scan, long bytes, int metadataRanges, boolean mayMerge) {
    boolean merged = mayMerge && merges(scan.ranges(), scan.gapMask());
    SglSupport usable = merged || scan.ranges() <= maxDescriptors ? sgl : SglSupport.NONE;
    return TransferFormat.choose(
        usable,
        scan.first(),
        merged ? 0 : scan.gapMask(),
        pageMask,
        scan.alignment(),
        bytes,
        merged ? 1 : scan.ranges(),
        metadataRanges,
        threshold);
  }
}
