package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.CapLayout;
import io.twostep.device.nvme.wire.DsmRangeLayout;
import io.twostep.device.nvme.wire.NvmControllerLayout;
import java.lang.foreign.MemorySegment;

/**
 * How much one command without data may ask for.
 *
 * @param writeZeroesBytes the most bytes of a write of zeroes
 * @param verifyBytes the most bytes of a verification
 * @param trimRanges the most ranges of a trim
 * @param trimRangeBlocks the most blocks of one of them
 * @param trimBlocks the most blocks of all of them together
 */
record CommandLimits(long writeZeroesBytes, long verifyBytes, int trimRanges, long trimRangeBlocks, long trimBlocks) {
  private static final long LARGEST_TRIM_RANGE = 0xffff_ffffL;

  /** Return what a controller that does not say is safe with: as much as a transfer. */
  static CommandLimits unknown(long maxTransfer) {
    return new CommandLimits(maxTransfer, maxTransfer, DsmRangeLayout.MAX_RANGES, LARGEST_TRIM_RANGE, Long.MAX_VALUE);
  }

  /** Read the NVM command set's own data of a controller. */
  static CommandLimits of(MemorySegment data, long cap) {
    int ranges = NvmControllerLayout.DMRL.get(data, 0);
    long blocks = NvmControllerLayout.DMRSL.getUnsigned(data, 0);
    long together = NvmControllerLayout.DMSL.get(data, 0);
    return new CommandLimits(
        size(NvmControllerLayout.WZSL.get(data, 0), cap),
        size(NvmControllerLayout.VSL.get(data, 0), cap),
        ranges == 0 ? DsmRangeLayout.MAX_RANGES : ranges,
        blocks == 0 ? LARGEST_TRIM_RANGE : blocks,
        together <= 0 ? Long.MAX_VALUE : together);
  }

  private static long size(int exponent, long cap) {
    int shift = exponent + 12 + (int) CapLayout.MPSMIN.get(cap);
    return exponent == 0 || shift > 62 ? Long.MAX_VALUE : 1L << shift;
  }
}
