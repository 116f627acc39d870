package io.twostep.device.nvme.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/** What blocks held before they were written and not yet flushed: what a loss of power brings back. */
final class UnflushedBlocks {
  private final BlockStore store;
  private final int blockSize;
  private final Map<Long, byte[]> before = new HashMap<>();

  UnflushedBlocks(BlockStore store, int blockSize) {
    this.store = store;
    this.blockSize = blockSize;
  }

  /** Note that blocks are about to be written; those already noted keep what they held at the last flush. */
  void note(long lba, long count) {
    for (long block = lba; block < lba + count; block++) {
      if (!before.containsKey(block)) {
        before.put(block, read(block));
      }
    }
  }

  /** Forget about blocks that are durable now. */
  void settle(long lba, long count) {
    for (long block = lba; block < lba + count; block++) {
      before.remove(block);
    }
  }

  /** Forget about all blocks. */
  void settleAll() {
    before.clear();
  }

  /** Bring back what the blocks held. */
  void restore() {
    before.forEach(this::write);
    before.clear();
  }

  private byte[] read(long block) {
    byte[] bytes = new byte[blockSize];
    long at = block * blockSize;
    for (int done = 0; done < blockSize; ) {
      int run = (int) Math.min(blockSize - done, store.run(at + done));
      MemorySegment.copy(
          store.readable(at + done), ValueLayout.JAVA_BYTE, store.offsetInSegment(at + done), bytes, done, run);
      done += run;
    }
    return bytes;
  }

  private void write(long block, byte[] bytes) {
    long at = block * blockSize;
    for (int done = 0; done < blockSize; ) {
      int run = (int) Math.min(blockSize - done, store.run(at + done));
      MemorySegment.copy(
          bytes, done, store.writable(at + done), ValueLayout.JAVA_BYTE, store.offsetInSegment(at + done), run);
      done += run;
    }
  }
}
