package io.twostep.device.nvme;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import java.lang.foreign.MemorySegment;

/** Moves memory that is not the machine's, such as Java arrays, by copying it through a buffer that is. */
final class StagedMove {
  private static final long STAGE = 1L << 20;

  private final NvmeNamespace namespace;
  private final NvmeOperation operation;

  StagedMove(NvmeNamespace namespace, NvmeOperation operation) {
    this.namespace = namespace;
    this.operation = operation;
  }

  /** Move a whole number of blocks. */
  void move(long lba, MemorySegment segment) {
    long perBlock = namespace.dataBytes(1);
    long stage = Math.min(segment.byteSize(), Math.max(perBlock, STAGE / perBlock * perBlock));
    try (MemoryBlock block = namespace.controller().memory().allocate(stage, MemoryPlacement.SCATTERED)) {
      NvmeBio bio = new NvmeBio();
      long done = 0;
      while (done < segment.byteSize()) {
        long bytes = Math.min(stage, segment.byteSize() - done);
        if (operation != NvmeOperation.READ) {
          MemorySegment.copy(segment, done, block.segment(), 0, bytes);
        }
        namespace.run(bio.set(operation, namespace, lba + done / perBlock, bytes / perBlock, block.ranges()));
        if (operation == NvmeOperation.READ) {
          MemorySegment.copy(block.segment(), 0, segment, done, bytes);
        }
        done += bytes;
      }
    }
  }
}
