package io.twostep.machine.linux.slot;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.fake.FakeKernel;
import io.twostep.machine.linux.run.EventLoop;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernel's words about refused accesses. */
class KernelFaultsTest {
  @TempDir Path root;

  @Test
  void linesOfTwoKernelsAreUnderstood() {
    FaultRecord write =
        parse("4,511,5230172,-;DMAR: [DMA Write NO_PASID] Request device [00:05.0] fault addr 0xdead0000 [fault reason 0x05] PTE Write access is not set\n");
    assertThat(write.device().text()).isEqualTo("0000:00:05.0");
    assertThat(write.iova()).isEqualTo(0xdead0000L);
    assertThat(write.write()).isTrue();
    assertThat(write.cause()).isEqualTo(Cause.NOT_PRESENT);
    FaultRecord read =
        parse("3,9,1,-;DMAR: [DMA Read] Request device [0001:3b:00.1] fault addr ffffe000 [fault reason 04] Access beyond MGAW\n");
    assertThat(read.device().text()).isEqualTo("0001:3b:00.1");
    assertThat(read.iova()).isEqualTo(0xffffe000L);
    assertThat(read.write()).isFalse();
    assertThat(read.cause()).isEqualTo(Cause.BEYOND_WIDTH);
  }

  @Test
  void otherLinesAreNoFaults() {
    assertThat(KernelFaults.parse("6,1,1,-;DMAR: Host address width 39\n")).isNull();
    assertThat(KernelFaults.parse("")).isNull();
  }

  @Test
  void machineWhoseLogMayNotBeReadGoesOnWithoutFaults() {
    FakeKernel kernel = new FakeKernel();
    kernel.failNth(2, Errno.EPERM);
    try (EventLoop loop = new EventLoop(kernel);
        KernelFaults faults = new KernelFaults(kernel, HostPaths.under(root), loop)) {
      faults.listen(device -> true, fault -> {});
      assertThat(kernel.failed()).isEqualTo("open " + root.resolve("dev/kmsg"));
      faults.listen(device -> true, fault -> {});
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  private static FaultRecord parse(String line) {
    return Objects.requireNonNull(KernelFaults.parse(line));
  }
}
