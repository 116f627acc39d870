package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.FaultPlan;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.MachineStats;
import io.twostep.machine.model.ModelMachine;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Lends host memory to the controller, which keeps copies of its blocks there and finds out when they are not what it put there. */
class HostMemoryTest {
  private static final long MIB = 1 << 20;

  private static NvmeModelConfig borrower(long preferred, long minimum) {
    return NvmeModelConfig.DEFAULT.with(c -> c.hmbPreferred(preferred).hmbMinimum(minimum));
  }

  private static MachineStats stats(Rig rig) {
    return ((ModelMachine) rig.machine).stats();
  }

  /** Write and read until the copies have gone out and come back, more than fit. */
  private static void writeAndReadBack(Rig rig, NvmeController controller) {
    writeAndReadBack(rig, controller, 6);
  }

  private static void writeAndReadBack(Rig rig, NvmeController controller, int rounds) {
    RandomGenerator random = Seeds.random();
    MemoryBlock out = rig.random(MIB, random);
    MemoryBlock back = rig.memory(MIB);
    try {
      NvmeNamespace namespace = controller.namespace(1);
      for (int round = 0; round < rounds; round++) {
        long lba = random.nextInt(4096);
        namespace.write(lba, out);
        namespace.read(lba, back);
        namespace.writeZeroes(lba + 3, 17);
        namespace.read(lba, back);
        assertThat(back.segment().asSlice(20 * 512).mismatch(out.segment().asSlice(20 * 512))).as("%s", Seeds.at(round)).isEqualTo(-1);
      }
      assertThat(rig.model.violations()).as("%s", Seeds.at(0)).noneMatch(text -> text.contains("host memory"));
    } finally {
      rig.release(out);
      rig.release(back);
    }
  }

  @ParameterizedTest
  @EnumSource(Rig.Stack.class)
  void controllerUsesWhatItIsLentThroughEveryStack(Rig.Stack stack) {
    try (Rig rig = new Rig(borrower(2 * MIB, MIB), stack, Map.of());
        NvmeController controller = rig.open()) {
      assertThat(controller.hostMemoryLength()).isEqualTo(2 * MIB);
      writeAndReadBack(rig, controller);
    }
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Stack.class, names = {"DIRECT", "IOMMU"})
  void memoryIsHandedBackAfterEveryKindOfReset(Rig.Stack stack) {
    try (Rig rig = new Rig(borrower(2 * MIB, MIB), stack, Map.of());
        NvmeController controller = rig.open()) {
      writeAndReadBack(rig, controller);
      controller.reset();
      assertThat(controller.hostMemoryLength()).isEqualTo(2 * MIB);
      writeAndReadBack(rig, controller);
      rig.slot.mmio(0).write32(RegisterLayout.NSSR.offset(), RegisterLayout.NSSR_MAGIC);
      controller.reset();
      writeAndReadBack(rig, controller);
      rig.model.faults().losePower();
      writeAndReadBack(rig, controller);
      assertThat(controller.statistics().resets()).isEqualTo(3);
    }
  }

  @Test
  void limitOfTheSettingHoldsAndNothingIsLentBelowTheLeast() {
    try (Rig rig = new Rig(borrower(8 * MIB, MIB))) {
      try (NvmeController controller = rig.open(NvmeConfig.DEFAULT.withHostMemory(3 * MIB))) {
        assertThat(controller.hostMemoryLength()).isEqualTo(3 * MIB);
        writeAndReadBack(rig, controller);
      }
      for (long limit : new long[] {0, MIB - 1}) {
        try (NvmeController controller = rig.open(NvmeConfig.DEFAULT.withHostMemory(limit))) {
          assertThat(controller.hostMemoryLength()).isZero();
          writeAndReadBack(rig, controller);
        }
      }
    }
  }

  @Test
  void piecesObeyTheControllersLeastLengthAndGreatestNumber() {
    NvmeModelConfig few = borrower(8 * MIB, MIB).with(c -> c.hmbMaxDescriptors(2).hmbMinDescriptor(MIB));
    try (Rig rig = new Rig(few);
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withHostMemory(7 * MIB))) {
      assertThat(controller.hostMemoryLength()).as("4 MiB and 2 MiB, and no third").isEqualTo(6 * MIB);
      writeAndReadBack(rig, controller);
    }
    NvmeModelConfig large = borrower(8 * MIB, MIB).with(c -> c.hmbMinDescriptor(4 * MIB).pageSizeMin(16384));
    try (Rig rig = new Rig(large);
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withHostMemory(7 * MIB))) {
      assertThat(controller.hostMemoryLength()).as("what is left is too small a piece").isEqualTo(4 * MIB);
      writeAndReadBack(rig, controller);
    }
  }

  @Test
  void fragmentedMemoryIsLentInPiecesAndBehindTranslationAsOneRange() {
    for (Rig.Stack stack : new Rig.Stack[] {Rig.Stack.DIRECT, Rig.Stack.IOMMU}) {
      NvmeModelConfig one = borrower(8 * MIB, MIB).with(c -> c.hmbMaxDescriptors(stack == Rig.Stack.IOMMU ? 1 : 0));
      try (Rig rig = new Rig(one, stack, Map.of())) {
        List<MemoryBlock> comb = new ArrayList<>();
        long piece = 256 << 10;
        while (stats(rig).framesFree() * rig.machine.memory().frameSize() >= 2 * piece) {
          comb.add(rig.machine.memory().allocate(piece, MemoryPlacement.CONTIGUOUS));
        }
        for (int i = 0; i < comb.size(); i += 2) {
          comb.get(i).close();
        }
        try (NvmeController controller = rig.open()) {
          assertThat(controller.hostMemoryLength()).isEqualTo(8 * MIB);
          writeAndReadBack(rig, controller);
        }
        for (int i = 1; i < comb.size(); i += 2) {
          comb.get(i).close();
        }
      }
    }
  }

  @Test
  void controllerThatNeedsMoreThanItWantsGetsNothing() {
    try (Rig rig = new Rig(borrower(MIB, 2 * MIB));
        NvmeController controller = rig.open()) {
      assertThat(controller.hostMemoryLength()).isZero();
      writeAndReadBack(rig, controller);
    }
  }

  @Test
  void controllerThatRefusesWorksWithout() {
    try (Rig rig = new Rig(borrower(2 * MIB, MIB))) {
      int without;
      try (NvmeController controller = rig.open(NvmeConfig.DEFAULT.withHostMemory(0))) {
        without = controller.mapper().liveMappings();
      }
      // Identify twice, then the loan.
      rig.model.faults().onCommand(0, 3, FaultPlan.Kind.FAIL, StatusCode.INVALID_FIELD);
      try (NvmeController controller = rig.open()) {
        assertThat(controller.hostMemoryLength()).isZero();
        assertThat(controller.mapper().liveMappings()).as("it knows where the memory is, and runs").isGreaterThan(without);
        writeAndReadBack(rig, controller);
        int with = controller.mapper().liveMappings();
        controller.reset();
        assertThat(controller.hostMemoryLength()).isZero();
        assertThat(controller.mapper().liveMappings()).isEqualTo(with - 2);
        writeAndReadBack(rig, controller);
      }
    }
  }

  @Test
  void controllerThatRefusesAfterAResetWorksWithout() {
    try (Rig rig = new Rig(borrower(2 * MIB, MIB), Rig.Stack.IOMMU, Map.of());
        NvmeController controller = rig.open()) {
      int with = controller.mapper().liveMappings();
      controller.namespace(1).flush();
      rig.model.faults().onCommand(0, 3, FaultPlan.Kind.FAIL, StatusCode.INVALID_FIELD);
      controller.reset();
      assertThat(controller.hostMemoryLength()).isZero();
      assertThat(controller.mapper().liveMappings()).as("it had the memory once, and runs").isEqualTo(with);
      writeAndReadBack(rig, controller);
      controller.reset();
      assertThat(controller.mapper().liveMappings()).isEqualTo(with - 2);
      writeAndReadBack(rig, controller);
    }
  }

  @Test
  void memoryStaysLentUntilAControllerThatDoesNotAnswerIsStopped() {
    try (Rig rig = new Rig(borrower(2 * MIB, MIB), Rig.Stack.IOMMU, Map.of())) {
      NvmeController controller = rig.open();
      writeAndReadBack(rig, controller);
      int[] whenDisabled = {-1};
      rig.model.faults().onCommand(0, 1, FaultPlan.Kind.HOLD);
      rig.registers.onWrite(RegisterLayout.CC.offset(), () -> whenDisabled[0] = controller.mapper().liveMappings());
      int open = controller.mapper().liveMappings();
      controller.close();
      assertThat(whenDisabled[0]).as("live when CC was cleared").isEqualTo(open);
      assertThat(controller.mapper().liveMappings()).isZero();
      assertThat(rig.model.violations()).isEmpty();
      assertThat(stats(rig).faults() + stats(rig).strayAccesses()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Stack.class, names = {"DIRECT", "IOMMU", "NON_COHERENT"})
  void failureOfAnyCallWhileLendingLeavesNothing(Rig.Stack stack) {
    for (FailNth.Kind kind : new FailNth.Kind[] {FailNth.Kind.ALLOCATE, FailNth.Kind.PUBLISH, FailNth.Kind.BUS_READ, FailNth.Kind.BUS_WRITE}) {
      try (Rig rig = new Rig(borrower(2 * MIB, MIB), stack, Map.of())) {
        long used = stats(rig).framesInUse();
        FailNth failures = ((ModelMachine) rig.machine).failNth();
        boolean untouched = false;
        for (int nth = 1; !untouched; nth++) {
          failures.arm(kind, nth);
          try (NvmeController controller = rig.open()) {
            untouched = !failures.fired();
            failures.disarm();
            writeAndReadBack(rig, controller, 1);
          } catch (RuntimeException e) {
            assertThat(e).as("%s %d", kind, nth).isNotNull();
          } finally {
            failures.disarm();
          }
          assertThat(rig.mappers).allSatisfy(mapper -> assertThat(mapper.liveMappings()).isZero());
          assertThat(nth).isLessThan(200);
        }
        assertThat(stats(rig).framesInUse()).as("%s", kind).isEqualTo(used);
      }
    }
  }
}
