package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.DsmCommandLayout;
import io.twostep.device.nvme.wire.DsmRangeLayout;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.StatusCode;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Takes the file away under its pages: to a mapping that is the same as a disk without room for them. */
class FullDiskTest {
  private static final int BLOCKS = 2048;

  @TempDir Path folder;

  @Test
  void blocksWithoutRoomFailAndTheControllerLives() throws IOException {
    Path file = folder.resolve("blocks");
    NvmeModelConfig config = NvmeModelConfig.DEFAULT.with(c -> c.namespaces(NamespaceConfig.ofFile(file, BLOCKS, 512)));
    try (TinyHost host = TinyHost.running(config)) {
      Queue queue = host.createQueue(1, 16);
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.truncate(BLOCKS / 2 * 512);
      }
      assertThat(host.execute(queue, prp(host.io(NvmOpcode.WRITE, BLOCKS - 8, 8), DATA, 0)).code()).isEqualTo(StatusCode.CAPACITY_EXCEEDED);
      assertThat(host.execute(queue, host.io(NvmOpcode.WRITE_ZEROES, BLOCKS - 8, 8)).code()).isEqualTo(StatusCode.CAPACITY_EXCEEDED);
      assertThat(host.execute(queue, prp(host.io(NvmOpcode.READ, BLOCKS - 8, 8), DATA, 0)).code()).isEqualTo(StatusCode.UNRECOVERED_READ_ERROR);
      assertThat(host.execute(queue, trim(host, BLOCKS - 8, 8)).code()).isEqualTo(StatusCode.CAPACITY_EXCEEDED);
      assertThat(host.execute(queue, prp(host.io(NvmOpcode.WRITE, 0, 8), DATA, 0)).code()).isZero();
      assertThat(host.execute(queue, prp(host.io(NvmOpcode.READ, 0, 8), DATA, 0)).code()).isZero();
    }
  }

  private static MemorySegment trim(TinyHost host, long lba, int blocks) {
    MemorySegment range = host.at(DATA, DsmRangeLayout.SIZE);
    DsmRangeLayout.ATTRIBUTES.set(range, 0, 0);
    DsmRangeLayout.NLB.set(range, 0, blocks);
    DsmRangeLayout.SLBA.set(range, 0, lba);
    MemorySegment sqe = prp(host.command(NvmOpcode.DATASET_MANAGEMENT, 1), DATA, 0);
    DsmCommandLayout.ATTRIBUTES.set(sqe, 0, DsmCommandLayout.DEALLOCATE.with(0, 1));
    return sqe;
  }
}
