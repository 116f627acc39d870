package io.twostep.examples.nvmeof;

import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.PhysicalMemory;

/**
 * Where a command's data waits between the adapter and the controller: in the controller's own memory if the adapter reaches it, else in host memory.
 *
 * @param isPeer whether it is the controller's
 * @param ranges where it lies
 * @param free gives it back
 */
record DataBuffer(boolean isPeer, PhysRanges ranges, Runnable free) {
  /** Allocate a buffer that both the controller and {@code adapter} reach. */
  static DataBuffer allocate(int bytes, PeerMemory shared, DmaMapper adapter, PhysicalMemory memory) {
    PeerBlock block = shared.allocate(bytes);
    PhysRanges ranges = PhysRanges.of(block.phys(), block.length());
    if (reaches(adapter, ranges)) {
      return new DataBuffer(true, ranges, block::close);
    }
    block.close();
    MemoryBlock host = memory.allocate(bytes, MemoryPlacement.SCATTERED);
    return new DataBuffer(false, host.ranges(), host::close);
  }

  private static boolean reaches(DmaMapper adapter, PhysRanges ranges) {
    try (DmaTransfer trial = adapter.newTransfer()) {
      trial.plan(ranges);
      return true;
    } catch (DmaMappingException e) {
      if (e.reason() == Reason.PEER_UNREACHABLE) {
        return false;
      }
      throw e;
    }
  }

  /** Give it back. */
  void release() {
    free.run();
  }
}
