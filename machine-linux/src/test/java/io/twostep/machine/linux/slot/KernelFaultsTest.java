package io.twostep.machine.linux.slot;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.fake.FakeKernel;
import io.twostep.machine.linux.fake.WatchedKernel;
import io.twostep.machine.linux.fake.WatchedKernel.Wrong;
import io.twostep.machine.linux.run.EventLoop;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The kernel's words about refused accesses. */
@Timeout(600)
class KernelFaultsTest {
  private static final String FAULT = "3,9,1,-;DMAR: [DMA Read] Request device [0001:3b:00.1] fault addr ffffe000 [fault reason 04] Access beyond MGAW\n";

  @TempDir Path root;

  @Test
  void intelsLinesOfTwoKernelsAreUnderstood() {
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
  void amdsLinesAreUnderstoodWhereverTheDeviceStands() {
    FaultRecord write = parse("3,700,9,-,caller=T1;vfio-pci 0000:41:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x001b address=0xfff41000 flags=0x0020]\n SUBSYSTEM=pci\n");
    assertThat(write).isEqualTo(new FaultRecord(new DeviceAddress("0000:41:00.0"), 0xfff41000L, true, Cause.NOT_PRESENT));
    FaultRecord read = parse("3,701,9,-;AMD-Vi: Event logged [IO_PAGE_FAULT device=41:00.1 domain=0x0000 address=0x8000000000000fff flags=0x0010]\n");
    assertThat(read).isEqualTo(new FaultRecord(new DeviceAddress("0000:41:00.1"), 0x8000000000000fffL, false, Cause.PERMISSION));
    assertThat(parse("3,702,9,-;AMD-Vi: Event logged [IO_PAGE_FAULT device=0001:41:00.1 domain=0x0000 address=0x0 flags=0x0030]\n").device().text()).isEqualTo("0001:41:00.1");
  }

  @Test
  void otherLinesAreNoFaults() {
    assertThat(FaultLine.parse("6,1,1,-;DMAR: Host address width 39\n")).isNull();
    assertThat(FaultLine.parse("6,1,1,-;AMD-Vi: Interrupt remapping enabled\n")).isNull();
    assertThat(FaultLine.parse("3,1,1,-;AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000 address=0x0 flags=0x0030]\n")).isNull();
    assertThat(FaultLine.parse("")).isNull();
  }

  @Test
  void machineWhoseLogMayNotBeReadGoesOnWithoutFaults() {
    FakeKernel kernel = new FakeKernel();
    kernel.nthCall().pick(2, Errno.EPERM);
    try (EventLoop loop = new EventLoop(kernel, "test");
        KernelFaults faults = new KernelFaults(kernel, HostPaths.under(root), loop)) {
      faults.listen(device -> true, fault -> {});
      assertThat(kernel.nthCall().picked()).isEqualTo("open " + root.resolve("dev/kmsg"));
      faults.listen(device -> true, fault -> {});
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void logThatCannotBeReadFromItsEndIsLetGo() throws Exception {
    Files.createDirectories(root.resolve("dev"));
    Path log = Files.writeString(root.resolve("dev/kmsg"), "");
    WatchedKernel kernel = new WatchedKernel(Wrong.CALL_FAILS);
    try (EventLoop loop = new EventLoop(kernel, "test");
        KernelFaults faults = new KernelFaults(kernel, HostPaths.under(root), loop)) {
      kernel.nthCall().pickFirst("lseek " + log, Errno.EIO);
      faults.listen(device -> true, fault -> {});
      assertThat(kernel.nthCall().picked()).isEqualTo("lseek " + log);
      assertThat(kernel.isOpen(log.toString())).isFalse();
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void listenerThatFailsKeepsNoOtherFromHearing() throws Exception {
    Files.createDirectories(root.resolve("dev"));
    Path log = Files.writeString(root.resolve("dev/kmsg"), "");
    WatchedKernel kernel = new WatchedKernel(Wrong.CALL_FAILS);
    CountDownLatch heard = new CountDownLatch(1);
    CountDownLatch ended = new CountDownLatch(1);
    try (EventLoop loop = new EventLoop(kernel, "test");
        KernelFaults faults = new KernelFaults(kernel, HostPaths.under(root), loop)) {
      CountDownLatch held = hold(loop);
      faults.listen(
          device -> true,
          fault -> {
            loop.schedule(0, ended::countDown);
            throw new IllegalStateException("a listener that fails");
          });
      faults.listen(device -> true, fault -> heard.countDown());
      Files.writeString(log, FAULT);
      held.countDown();
      ended.await();
      assertThat(heard.getCount()).as("the other has not heard, and the machine's thread is behind the fault").isZero();
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void listenerMayAddAnotherWhileTheMachineCloses() throws Exception {
    Files.createDirectories(root.resolve("dev"));
    Path log = Files.writeString(root.resolve("dev/kmsg"), "");
    WatchedKernel kernel = new WatchedKernel(Wrong.CALL_FAILS);
    try (EventLoop loop = new EventLoop(kernel, "test");
        KernelFaults faults = new KernelFaults(kernel, HostPaths.under(root), loop)) {
      CountDownLatch heard = new CountDownLatch(1);
      Thread closing = new Thread(faults::close);
      closing.setDaemon(true);
      CountDownLatch held = hold(loop);
      faults.listen(
          device -> true,
          fault -> {
            heard.countDown();
            while (closing.getState() != Thread.State.BLOCKED) {
              Thread.onSpinWait();
            }
            faults.listen(device -> false, nothing -> {});
          });
      Files.writeString(log, FAULT);
      held.countDown();
      heard.await();
      closing.start();
      closing.join(20_000);
      assertThat(closing.isAlive()).as("waits for a listener that waits for it").isFalse();
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void recordThatWasOverwrittenIsSkippedAndALogThatCannotBeReadIsLetGo() throws Exception {
    Files.createDirectories(root.resolve("dev"));
    for (int errno : new int[] {Errno.EPIPE, Errno.EIO}) {
      Path log = Files.writeString(root.resolve("dev/kmsg"), "");
      WatchedKernel kernel = new WatchedKernel(Wrong.CALL_FAILS);
      CountDownLatch heard = new CountDownLatch(1);
      try (EventLoop loop = new EventLoop(kernel, "test");
          KernelFaults faults = new KernelFaults(kernel, HostPaths.under(root), loop)) {
        CountDownLatch held = hold(loop);
        faults.listen(device -> true, fault -> heard.countDown());
        Files.writeString(log, FAULT);
        kernel.nthCall().pickFirst("read " + log, errno);
        held.countDown();
        assertThat(heard.await(errno == Errno.EPIPE ? 30 : 0, TimeUnit.SECONDS)).isEqualTo(errno == Errno.EPIPE);
        while (kernel.isOpen(log.toString())) {
          Thread.yield();
        }
        assertThat(kernel.nthCall().picked()).isEqualTo("read " + log);
      }
      assertThat(heard.getCount()).isEqualTo(errno == Errno.EPIPE ? 0 : 1);
      assertThat(kernel.leaks()).isEmpty();
    }
  }

  /** Keep the machine's thread from looking until what this returns is counted down: a file ends where a log waits for more. */
  private static CountDownLatch hold(EventLoop loop) throws InterruptedException {
    CountDownLatch holding = new CountDownLatch(1);
    CountDownLatch held = new CountDownLatch(1);
    loop.schedule(
        0,
        () -> {
          holding.countDown();
          await(held);
        });
    holding.await();
    return held;
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static FaultRecord parse(String line) {
    return Objects.requireNonNull(FaultLine.parse(line));
  }
}
