package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.FaultPlan;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.wire.CapLayout;
import io.twostep.device.nvme.wire.CmbLayout;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.ReadWriteCommandLayout;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.MemoryBlock;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Puts submission queues into the controller's own memory, whose bytes have three addresses. */
class SubmissionQueuesInControllerTest {
  private static final int BAR = 4;
  private static final long OFFSET = 3 << 12;
  private static final long FAR = 0x7f00_0000_0000L;

  private static NvmeModelConfig controller(long bufferSize) {
    return NvmeModelConfig.DEFAULT.with(c -> c.cmbBar(BAR).cmbOffset(OFFSET).cmbSize(bufferSize));
  }

  private static MemorySegment buffer(Rig rig) {
    return rig.slot.memory(BAR).asSlice(OFFSET);
  }

  private static void writeAndReadBack(Rig rig, NvmeController controller) {
    MemoryBlock out = rig.random(256 << 10, Seeds.random());
    MemoryBlock back = rig.memory(256 << 10);
    controller.namespace(1).write(100, out);
    controller.namespace(1).read(100, back);
    assertThat(back.segment().mismatch(out.segment())).isEqualTo(-1);
    assertThat(rig.model.violations()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Rig.Stack.class)
  void commandsLieInTheBarAndTheirBytesArrive(Rig.Stack stack) {
    try (Rig rig = new Rig(controller(1 << 20), stack, Map.of());
        NvmeController controller = rig.open()) {
      MemoryBlock block = rig.random(4096, Seeds.random());
      controller.namespace(1).write(0x1234, block);
      MemorySegment entries = buffer(rig);
      assertThat(SqeLayout.OPCODE.get(entries, 0)).isEqualTo(NvmOpcode.WRITE);
      assertThat(ReadWriteCommandLayout.SLBA.get(entries, 0)).isEqualTo(0x1234);
      controller.namespace(1).read(0x1234, block);
      assertThat(SqeLayout.OPCODE.get(entries, SqeLayout.SIZE)).isEqualTo(NvmOpcode.READ);
      writeAndReadBack(rig, controller);
    }
  }

  @Test
  void queueInTheControllerTakesNoHostMemory() {
    try (Rig rig = new Rig(controller(1 << 20))) {
      int inHost;
      try (NvmeController controller = rig.open(NvmeConfig.DEFAULT.withIoQueues(3).withCmbQueues(false))) {
        inHost = controller.mapper().liveMappings();
        writeAndReadBack(rig, controller);
      }
      assertThat(buffer(rig).toArray(ValueLayout.JAVA_BYTE)).as("not used when turned off").containsOnly(0);
      try (NvmeController controller = rig.open(NvmeConfig.DEFAULT.withIoQueues(3))) {
        assertThat(controller.mapper().liveMappings()).isEqualTo(inHost - 3);
      }
    }
  }

  @Test
  void threeAddressesOfTheBufferAllDifferAndAreKeptApart() {
    try (Rig rig = new Rig(controller(1 << 20));
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withCmbAddress(FAR))) {
      ControllerMemoryBuffer buffer = controller.memoryBuffer();
      assertThat(buffer).isNotNull();
      assertThat(buffer.phys()).isEqualTo(rig.slot.bar(BAR).phys() + OFFSET);
      assertThat(buffer.busAddress()).isEqualTo(rig.slot.bar(BAR).busAddress() + OFFSET);
      assertThat(buffer.controllerAddress()).isEqualTo(FAR);
      assertThat(new long[] {buffer.phys(), buffer.busAddress(), buffer.controllerAddress()}).doesNotHaveDuplicates();
      assertThat(buffer.length()).isEqualTo(1 << 20);
      writeAndReadBack(rig, controller);
      assertThat(SqeLayout.OPCODE.get(buffer(rig), 0)).isEqualTo(NvmOpcode.WRITE);
    }
  }

  @Test
  void queuesLieOnPagesOfTheControllerOneBehindTheOther() {
    NvmeModelConfig largePages = controller(1 << 20).with(c -> c.pageSizeMin(16384));
    try (Rig rig = new Rig(largePages);
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withIoQueues(4))) {
      writeAndReadBack(rig, controller);
      for (NvmeQueue queue : controller.queues()) {
        assertThat(queue.submissionAddress() % 16384).isZero();
      }
      ControllerMemoryBuffer buffer = controller.memoryBuffer();
      assertThat(buffer).isNotNull();
      assertThat(buffer.firstFreeOffset()).isGreaterThanOrEqualTo(4 * 16384).isLessThan(5 * 16384);
    }
  }

  @Test
  void queuesGetShallowerToFitButNotTooShallow() {
    try (Rig rig = new Rig(controller(16 << 10));
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withIoQueues(2).withQueueDepth(1000))) {
      assertThat(controller.queues()).extracting(NvmeQueue::capacity).containsOnly(127);
      writeAndReadBack(rig, controller);
    }
    try (Rig rig = new Rig(controller(4 << 10));
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withIoQueues(2).withQueueDepth(1000))) {
      assertThat(controller.queues()).as("a page holds 64 entries of one queue, not of two").extracting(NvmeQueue::capacity).containsOnly(999);
      assertThat(buffer(rig).asSlice(0, 4096).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
      writeAndReadBack(rig, controller);
    }
    try (Rig rig = new Rig(controller(4 << 10));
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withQueueDepth(16))) {
      assertThat(controller.queues()).extracting(NvmeQueue::capacity).containsOnly(15);
      writeAndReadBack(rig, controller);
      assertThat(SqeLayout.OPCODE.get(buffer(rig), 0)).isEqualTo(NvmOpcode.WRITE);
    }
  }

  @Test
  void bufferThatTakesNoQueuesIsLeftAlone() {
    NvmeModelConfig noQueues = controller(1 << 20).with(c -> c.cmbUses(EnumSet.complementOf(EnumSet.of(CmbUse.SUBMISSION_QUEUES))));
    try (Rig rig = new Rig(noQueues);
        NvmeController controller = rig.open()) {
      writeAndReadBack(rig, controller);
      assertThat(buffer(rig).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    }
  }

  @Test
  void addressThatTheControllerRefusesLeavesTheBufferAlone() {
    try (Rig rig = new Rig(controller(1 << 20));
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withCmbAddress(-4096))) {
      assertThat(controller.memoryBuffer()).isNull();
      writeAndReadBack(rig, controller);
    }
  }

  @Test
  void bufferOfAnOldControllerHasItsBusAddress() {
    try (Rig rig = new Rig(controller(1 << 20))) {
      // Without CAP.CMBS location and size are shown always, and nothing can be claimed elsewhere.
      int high = rig.registers.truth(RegisterLayout.CAP.offset() + 4);
      rig.registers.lie(RegisterLayout.CAP.offset() + 4, high & ~(int) (CapLayout.CMBS.with(0L, 1) >>> 32));
      rig.registers.lie(RegisterLayout.CMBLOC.offset(), CmbLayout.OFST.with(CmbLayout.BIR.with(0, BAR), 3));
      rig.registers.lie(RegisterLayout.CMBSZ.offset(), CmbLayout.SZ.with(0, 256));
      try (NvmeController controller = rig.open(NvmeConfig.DEFAULT.withCmbAddress(FAR))) {
        ControllerMemoryBuffer buffer = controller.memoryBuffer();
        assertThat(buffer).isNotNull();
        assertThat(buffer.controllerAddress()).isEqualTo(buffer.busAddress());
        assertThat(buffer.takesReadData() | buffer.takesWriteData() | buffer.takesSubmissionQueues()).isFalse();
        writeAndReadBack(rig, controller);
      }
    }
  }

  @Test
  void bufferInNoMemoryBarIsLeftAlone() {
    for (int bar : new int[] {0, 3, 6, 7}) {
      try (Rig rig = new Rig(controller(1 << 20))) {
        rig.registers.lie(RegisterLayout.CMBLOC.offset(), CmbLayout.BIR.with(0, bar));
        try (NvmeController controller = rig.open()) {
          assertThat(controller.memoryBuffer()).isNull();
          writeAndReadBack(rig, controller);
        }
      }
    }
  }

  @Test
  void queuesAreThereAgainAfterResetsOfEveryKind() {
    try (Rig rig = new Rig(controller(1 << 20));
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withIoQueues(2).withCmbAddress(FAR))) {
      controller.reset();
      writeAndReadBack(rig, controller);
      // A subsystem reset forgets where the buffer was claimed.
      rig.slot.mmio(0).write32(RegisterLayout.NSSR.offset(), RegisterLayout.NSSR_MAGIC);
      controller.reset();
      writeAndReadBack(rig, controller);
      rig.model.faults().onCommand(FaultPlan.ANY_IO_QUEUE, 1, FaultPlan.Kind.DROP_COMPLETION);
      writeAndReadBack(rig, controller);
      assertThat(controller.statistics().resets()).isEqualTo(3);
    }
  }

  @Test
  void bufferThatIsAnotherAfterAResetEndsTheController() {
    try (Rig rig = new Rig(controller(1 << 20));
        NvmeController controller = rig.open()) {
      rig.registers.lie(RegisterLayout.CMBLOC.offset(), CmbLayout.BIR.with(0, BAR));
      assertThatThrownBy(controller::reset).isInstanceOf(NvmeException.class);
      assertThat(controller.state()).isEqualTo(NvmeState.DEAD);
    }
  }
}
