package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.FaultPlan;
import io.twostep.device.nvme.model.FaultPlan.Kind;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.wire.CapLayout;
import io.twostep.device.nvme.wire.IdentifyControllerLayout;
import io.twostep.device.nvme.wire.IdentifyNamespaceLayout;
import io.twostep.device.nvme.wire.NvmControllerLayout;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.machine.model.ModelMachine;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.PrimitiveIterator;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntSupplier;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Lets the controller lie about its registers and its completions, at start and with requests under way; all memory comes back whatever it says. */
class HostileDeviceTest {
  private static final int ANY = FaultPlan.ANY_IO_QUEUE;
  private static final int IN_FLIGHT = 40;
  private static final int BAR = 2;

  /** The byte of an LBA format that holds the block size as a power of two. */
  private static final int LBADS = 2;

  private static final long SECOND = 1_000_000_000L;

  /** With the queue in the controller, so that a test can see the commands. */
  private static final NvmeModelConfig CONTROLLER = NvmeModelConfig.DEFAULT.with(c -> c.cmbSize(1 << 20));

  private static NvmeBio[] submitReads(Rig rig, NvmeController controller) {
    NvmeBio[] bios = new NvmeBio[IN_FLIGHT];
    for (int i = 0; i < bios.length; i++) {
      bios[i] = new NvmeBio().read(controller.namespace(1), 8, 8, rig.memory(4096).ranges());
      controller.namespace(1).submit(bios[i]);
    }
    return bios;
  }

  private static void readBack(Rig rig, NvmeController controller, MemoryBlock expected) {
    MemoryBlock back = rig.memory(4096);
    controller.namespace(1).read(8, back);
    assertThat(back.segment().mismatch(expected.segment())).isEqualTo(-1);
  }

  @Test
  void noLieOfAnyRegisterLeavesMemoryBehind() {
    RandomGenerator random = Seeds.random();
    int[] registers = {
      RegisterLayout.CAP.offset(), RegisterLayout.CAP.offset() + 4, RegisterLayout.VS.offset(), RegisterLayout.CC.offset(), RegisterLayout.CSTS.offset(),
      RegisterLayout.CMBLOC.offset(), RegisterLayout.CMBSZ.offset(), RegisterLayout.CMBSTS.offset(), RegisterLayout.CRTO.offset()
    };
    int opened = 0;
    for (int round = 0; round < 60; round++) {
      try (Rig rig = new Rig(CONTROLLER, Rig.Stack.IOMMU, Map.of())) {
        for (int lies = 1 + random.nextInt(2); lies > 0; lies--) {
          int register = registers[random.nextInt(registers.length)];
          // One bit wrong is worse to find than all of them.
          int lie = random.nextBoolean() ? random.nextInt() : rig.registers.truth(register) ^ 1 << random.nextInt(32);
          rig.registers.lie(register, lie);
        }
        try (NvmeController controller = rig.open(NvmeConfig.DEFAULT.withTimeouts(SECOND, SECOND))) {
          opened++;
          controller.namespace(1).read(8, rig.memory(4096));
        } catch (NvmeException | DmaMappingException | IllegalArgumentException e) {
          assertThat(e.getMessage()).as("%s", Seeds.at(round)).contains("0000:01:00.0");
        }
        assertThat(rig.mappers).as("%s", Seeds.at(round)).allSatisfy(mapper -> assertThat(mapper.liveMappings()).isZero());
      }
    }
    assertThat(opened).as("some lies do not matter").isPositive();
  }

  /** Found by the lies above, with seed 18467558318041: nothing said whose memory could not be had. */
  @Test
  void pagesLargerThanWhatMemoryHoldsAreRefusedByTheDevicesName() {
    try (Rig rig = new Rig(CONTROLLER, Rig.Stack.IOMMU, Map.of())) {
      int upper = RegisterLayout.CAP.offset() + 4;
      // MPSMIN and MPSMAX: 128 MiB, four bits each from bit 48 of CAP.
      rig.registers.lie(upper, rig.registers.truth(upper) & ~(0xFF << 16) | 0xFF << 16);

      assertThatThrownBy(() -> rig.open(NvmeConfig.DEFAULT.withTimeouts(SECOND, SECOND)))
          .hasMessageContaining("0000:01:00.0")
          .hasMessageContaining("134217728");
      assertThat(rig.mappers).allSatisfy(mapper -> assertThat(mapper.liveMappings()).isZero());
    }
  }

  private static final ValueLayout.OfInt LIST_ENTRY = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Let every list of namespaces that comes have these ids and no others. */
  private static void listNamespaces(Rig rig, IntSupplier ids) {
    rig.registers.changePages(
        page -> {
          for (int at = 0; at < page.length; at += Integer.BYTES) {
            MemorySegment.ofArray(page).set(LIST_ENTRY, at, ids.getAsInt());
          }
        });
  }

  @Test
  void listOfNamespacesThatNeverEndsIsNotFollowed() {
    try (Rig rig = new Rig(CONTROLLER);
        NvmeController controller = rig.open()) {
      AtomicInteger last = new AtomicInteger();
      listNamespaces(rig, last::incrementAndGet);
      assertThatThrownBy(controller::rescan)
          .isInstanceOf(NvmeException.class)
          .hasMessageContaining("0000:01:00.0")
          .hasMessageContaining("more than 65536 namespaces");
      assertThat(last.get()).isEqualTo((1 << 16) + 1024);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 5})
  void listOfNamespacesThatDoesNotAscendIsRefused(int second) {
    try (Rig rig = new Rig(CONTROLLER);
        NvmeController controller = rig.open()) {
      PrimitiveIterator.OfInt ids = IntStream.concat(IntStream.of(5, second), IntStream.iterate(0, id -> 0)).iterator();
      listNamespaces(rig, ids::nextInt);
      assertThatThrownBy(controller::rescan)
          .isInstanceOf(NvmeException.class)
          .hasMessageContaining("0000:01:00.0")
          .hasMessageContaining("namespace " + second + " behind namespace 5");
    }
  }

  @Test
  void countOfNamespacesThatNobodyHasIsNotFollowed() {
    try (Rig rig = new Rig(CONTROLLER)) {
      // Of the identify structure of the controller: NN.
      rig.registers.lieInPages(IdentifyControllerLayout.NN.offset() + 2, 1);
      // The third command asks for the list: a controller before version 1.1 has none.
      rig.model.faults().onCommand(0, 3, Kind.FAIL, StatusCode.INVALID_FIELD);
      assertThatThrownBy(() -> rig.open(NvmeConfig.DEFAULT.withIoQueues(0)))
          .isInstanceOf(NvmeException.class)
          .hasMessageContaining("0000:01:00.0")
          .hasMessageContaining("more than 65536 namespaces");
    }
  }

  @Test
  void registersThatReadAllOnesAtTheStartAreNoController() {
    try (Rig rig = new Rig(CONTROLLER)) {
      rig.registers.readAllOnes(true);
      assertThatThrownBy(rig::open).isInstanceOf(NvmeException.class).hasMessageContaining("all ones");
    }
  }

  @Test
  void registersThatReadAllOnesEndWhatIsUnderWay() {
    try (Rig rig = new Rig(CONTROLLER, Rig.Stack.IOMMU, Map.of());
        NvmeController controller = rig.open()) {
      for (int i = 1; i <= IN_FLIGHT; i++) {
        rig.model.faults().onCommand(ANY, i, Kind.HOLD);
      }
      NvmeBio[] bios = submitReads(rig, controller);
      rig.registers.readAllOnes(true);
      for (NvmeBio bio : bios) {
        controller.queues().getFirst().await(bio);
        assertThat(bio.failure())
            .asInstanceOf(InstanceOfAssertFactories.type(NvmeException.class))
            .satisfies(e -> assertThat(e.kind()).isEqualTo(NvmeErrorKind.GONE));
      }
      assertThat(controller.state()).isEqualTo(NvmeState.DEAD);
    }
  }

  @Test
  void fatalStatusWithAFullQueueCostsNoRequest() {
    try (Rig rig = new Rig(CONTROLLER, Rig.Stack.IOMMU, Map.of());
        NvmeController controller = rig.open()) {
      MemoryBlock written = rig.random(4096, Seeds.random());
      controller.namespace(1).write(8, written);
      for (int i = 1; i <= IN_FLIGHT; i++) {
        rig.model.faults().onCommand(ANY, i, Kind.HOLD);
      }
      NvmeBio[] bios = submitReads(rig, controller);
      rig.model.faults().failFatally();
      for (NvmeBio bio : bios) {
        controller.queues().getFirst().await(bio);
        bio.check();
      }
      assertThat(controller.statistics().resets()).isEqualTo(1);
      readBack(rig, controller, written);
    }
  }

  @Test
  void nonsenseAboutTheSubmissionHeadChangesNothing() {
    try (Rig rig = new Rig(CONTROLLER, Rig.Stack.IOMMU, Map.of());
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withQueueDepth(4))) {
      MemoryBlock written = rig.random(4096, Seeds.random());
      controller.namespace(1).write(8, written);
      for (int head : new int[] {0xffff, 0x8000, 4, 3, 2, 1, 0}) {
        rig.model.faults().onCommand(ANY, 1, Kind.WRONG_HEAD, head);
        readBack(rig, controller, written);
      }
      assertThat(controller.statistics().droppedCompletions() + controller.statistics().resets()).isZero();
      assertThat(rig.model.violations()).isEmpty();
    }
  }

  @Test
  void deviceThatWritesAfterItSaidItWasDoneIsStoppedByTranslation() {
    try (Rig rig = new Rig(CONTROLLER, Rig.Stack.IOMMU, Map.of());
        NvmeController controller = rig.open()) {
      controller.namespace(1).write(8, rig.random(4096, Seeds.random()));
      MemoryBlock target = rig.memory(4096);
      rig.model.faults().onCommand(ANY, 1, Kind.DELAY, SECOND);
      NvmeBio late = new NvmeBio().read(controller.namespace(1), 8, 8, target.ranges());
      NvmeQueue queue = controller.namespace(1).submit(late);
      queue.ring();
      int commandId = SqeLayout.COMMAND_ID.get(rig.slot.memory(BAR), SqeLayout.SIZE);
      rig.model.faults().onCommand(ANY, 1, Kind.STRAY_COMPLETION, commandId);
      controller.namespace(1).flush();
      queue.await(late);
      late.check();
      long faults = ((ModelMachine) rig.machine).stats().faults();
      rig.machine.timers().schedule(2 * SECOND, () -> {});
      for (int i = 0; i < 50; i++) {
        rig.machine.timers().pause();
      }
      queue.poll();
      assertThat(((ModelMachine) rig.machine).stats().faults()).as("the late write").isGreaterThan(faults);
      assertThat(target.segment().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
      assertThat(controller.statistics().droppedCompletions()).as("its own completion").isEqualTo(1);
      assertThat(rig.expectReports()).as("what the checker says of it").isPositive();
    }
  }

  @Test
  void stormOfCompletionsForEveryIdIsDroppedAndNothingHangs() {
    RandomGenerator random = Seeds.random();
    try (Rig rig = new Rig(CONTROLLER, Rig.Stack.IOMMU, Map.of());
        NvmeController controller = rig.open()) {
      MemoryBlock written = rig.random(4096, random);
      controller.namespace(1).write(8, written);
      for (int i = 0; i < 2000; i++) {
        Kind kind = random.nextBoolean() ? Kind.STRAY_COMPLETION : Kind.DUPLICATE_COMPLETION;
        // Any id but one of the tags' own range: with one request under way no lie can name it.
        rig.model.faults().onCommand(ANY, 1, kind, 0x0fff & (0x100 | random.nextInt()));
        readBack(rig, controller, written);
      }
      assertThat(controller.statistics().resets()).isZero();
      assertThat(controller.statistics().droppedCompletions()).as("all but those for which the queue had no room").isBetween(1800L, 2000L);
    }
  }

  @Test
  void queuesOfOneEntryAreRefusedByTheDevicesName() {
    try (Rig rig = new Rig(CONTROLLER)) {
      int lower = RegisterLayout.CAP.offset();
      rig.registers.lie(lower, CapLayout.MQES.with(rig.registers.truth(lower), 0));
      assertThatThrownBy(rig::open).isInstanceOf(NvmeException.class).hasMessageContaining("0000:01:00.0").hasMessageContaining("MQES");
    }
  }

  @Test
  void controllerThatIsRefusedBeforeItIsStoppedDoesNotMasterTheBus() {
    try (Rig rig = new Rig(CONTROLLER)) {
      int upper = RegisterLayout.CAP.offset() + Integer.BYTES;
      // DSTRD, the four lowest bits: doorbells so far apart that the BAR does not hold them.
      rig.registers.lie(upper, rig.registers.truth(upper) | 0xf);
      assertThatThrownBy(rig::open).isInstanceOf(NvmeException.class).hasMessageContaining("doorbells");
      assertThat(rig.registers.isMaster()).isFalse();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 8, 31, 32, 41, 255})
  void blocksOfSizesThatCannotBeAreRefusedByDeviceAndNamespace(int shift) {
    try (Rig rig = new Rig(CONTROLLER)) {
      rig.registers.lieInPages((int) IdentifyNamespaceLayout.lbaFormat(0) + LBADS, shift);
      assertThatThrownBy(rig::open)
          .isInstanceOf(NvmeException.class)
          .hasMessageContaining("0000:01:00.0")
          .hasMessageContaining("namespace 1")
          .hasMessageContaining("LBADS " + shift);
    }
  }

  @Test
  void moreBlocksThanBytesCanBeCountedAreRefused() {
    try (Rig rig = new Rig(CONTROLLER)) {
      rig.registers.lieInPages(IdentifyNamespaceLayout.NSZE.offset() + 6, 0x40);
      assertThatThrownBy(rig::open).isInstanceOf(NvmeException.class).hasMessageContaining("namespace 1").hasMessageContaining("0x40");
    }
  }

  @Test
  void trimIsSplitAtTheMostBlocksOfAllRangesTogether() {
    try (Rig rig = new Rig(CONTROLLER)) {
      rig.registers.lieInPages(NvmControllerLayout.DMSL.offset(), 100);
      try (NvmeController controller = rig.open()) {
        controller.namespace(1).trim(0, 250);
        assertThat(controller.statistics().commands()).isEqualTo(3);
      }
    }
  }

  @Test
  void trimThatIsSentAgainAfterAResetIsTheSameThoughTheControllerTakesShorterRangesNow() {
    int blocks = 1024;
    try (Rig rig = new Rig(CONTROLLER);
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.random(blocks * 512L, Seeds.random());
      namespace.write(0, memory);
      rig.model.faults().onCommand(ANY, 1, Kind.HOLD);
      NvmeBio trim = new NvmeBio().trim(namespace, 0, blocks);
      namespace.submit(trim);
      rig.registers.changePages(page -> page[NvmControllerLayout.DMRSL.offset()] = 1);
      controller.reset();
      rig.registers.changePages(page -> {});
      controller.queues().getFirst().await(trim);
      trim.check();
      namespace.read(0, memory);
      assertThat(memory.segment().toArray(ValueLayout.JAVA_BYTE)).as("all is trimmed that was said to be").containsOnly(0);
    }
  }
}
