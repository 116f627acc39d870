package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.CcLayout;
import io.twostep.device.nvme.wire.FeatureCommandLayout;
import io.twostep.device.nvme.wire.FeatureId;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.ReadWriteCommandLayout;
import io.twostep.device.nvme.wire.RegisterLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PowerLossTest {
  private TinyHost host = start(true);
  private Queue queue = host.createQueue(1, 16);

  private static TinyHost start(boolean cache) {
    NamespaceConfig namespace = NamespaceConfig.ofMemory(1024, 512).withMetadata(8, true);
    return TinyHost.running(
        NvmeModelConfig.DEFAULT.with(c -> c.losesUnflushed(true).writeCache(cache).namespaces(namespace)));
  }

  @AfterEach
  void close() {
    host.close();
  }

  private void write(long lba, int value, boolean forced) {
    host.at(DATA, 520).fill((byte) value);
    MemorySegment sqe = prp(host.io(NvmOpcode.WRITE, lba, 1), DATA, 0);
    ReadWriteCommandLayout.CONTROL.set(sqe, 0, ReadWriteCommandLayout.FUA.with(0, forced ? 1 : 0));
    assertThat(host.execute(queue, sqe).status()).isZero();
  }

  private void flush() {
    assertThat(host.execute(queue, host.command(NvmOpcode.FLUSH, 1)).status()).isZero();
  }

  private void losePower() {
    host.model.faults().losePower();
    host.run();
    assertThat(host.read32(RegisterLayout.CC.offset())).isZero();
    host.enable();
    queue = host.createQueue(1, 16);
  }

  private int read(long lba) {
    assertThat(host.execute(queue, prp(host.io(NvmOpcode.READ, lba, 1), DATA, 0)).status()).isZero();
    byte[] block = host.at(DATA, 520).toArray(ValueLayout.JAVA_BYTE);
    byte[] same = new byte[512];
    Arrays.fill(same, block[0]);
    assertThat(block).startsWith(same);
    assertThat(block[519]).as("metadata goes with its block").isEqualTo(block[0] == 0 ? -1 : block[0]);
    return block[0];
  }

  @Test
  void onlyWhatWasFlushedOrForcedSurvives() {
    write(1, 11, false);
    write(2, 12, false);
    flush();
    write(2, 22, false);
    write(3, 23, false);
    write(4, 24, true);
    write(5, 25, true);
    write(5, 35, false);
    losePower();
    assertThat(read(1)).isEqualTo(11);
    assertThat(read(2)).isEqualTo(12);
    assertThat(read(3)).isZero();
    assertThat(read(4)).isEqualTo(24);
    assertThat(read(5)).isEqualTo(25);
    write(2, 42, false);
    losePower();
    assertThat(read(2)).isEqualTo(12);
  }

  @Test
  void cacheThatIsTurnedOffLosesNothing() {
    MemorySegment sqe = host.command(AdminOpcode.SET_FEATURES, 0);
    FeatureCommandLayout.CDW10.set(sqe, 0, FeatureId.VOLATILE_WRITE_CACHE);
    assertThat(host.admin(sqe).status()).isZero();
    write(1, 11, false);
    losePower();
    assertThat(read(1)).isEqualTo(11);
    write(1, 12, false);
    losePower();
    assertThat(read(1)).as("the cache is on again").isEqualTo(11);
  }

  @Test
  void shutdownFlushes() {
    write(1, 11, false);
    int cc = host.read32(RegisterLayout.CC.offset());
    host.write32(RegisterLayout.CC.offset(), CcLayout.SHN.with(cc, CcLayout.SHN_NORMAL));
    losePower();
    assertThat(read(1)).isEqualTo(11);
  }

  @Test
  void withoutCacheNothingIsLost() {
    host.close();
    host = start(false);
    queue = host.createQueue(1, 16);
    write(1, 11, false);
    losePower();
    assertThat(read(1)).isEqualTo(11);
  }
}
