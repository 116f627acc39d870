package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.FaultPlan;
import io.twostep.device.nvme.model.FaultPlan.Kind;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.MemoryBlock;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Lets the controller misbehave in every way it knows; memory is never given back early and nothing completes twice. */
class FaultTest {
  private static final int ANY = FaultPlan.ANY_IO_QUEUE;
  private static final long SECOND = 1_000_000_000L;

  private final Rig rig = new Rig(NvmeModelConfig.DEFAULT, Rig.Stack.IOMMU, java.util.Map.of());
  private NvmeController controller;
  private NvmeNamespace namespace;
  private MemoryBlock memory;

  @BeforeEach
  void open() {
    open(NvmeConfig.DEFAULT);
  }

  private void open(NvmeConfig config) {
    if (controller != null) {
      controller.close();
    }
    controller = rig.open(config);
    namespace = controller.namespace(1);
    memory = rig.random(4096, Seeds.random());
    namespace.write(8, memory);
  }

  @AfterEach
  void close() {
    controller.close();
    rig.close();
  }

  /** Let a second pass, and the driver look at its deadlines. */
  private void letTimePass(NvmeQueue queue) {
    rig.machine.timers().schedule(SECOND, () -> {});
    rig.machine.timers().pause();
    for (int i = 0; i < 100; i++) {
      queue.poll();
    }
  }

  private void readBack() {
    MemoryBlock back = rig.memory(4096);
    namespace.read(8, back);
    assertThat(back.segment().mismatch(memory.segment())).isEqualTo(-1);
  }

  @Test
  void lostCompletionIsAbortedThenResetAndTheRequestStillSucceeds() {
    rig.model.faults().onCommand(ANY, 1, Kind.DROP_COMPLETION);
    readBack();
    assertThat(controller.statistics().timeouts()).isEqualTo(1);
    assertThat(controller.statistics().resets()).isEqualTo(1);
    assertThat(controller.statistics().retries()).isEqualTo(1);
  }

  @Test
  void heldCommandIsAbortedAndTriedAgainWithoutReset() {
    rig.model.faults().onCommand(ANY, 1, Kind.HOLD);
    readBack();
    assertThat(controller.statistics().aborts()).isEqualTo(1);
    assertThat(controller.statistics().resets()).isZero();
  }

  @Test
  void wrongPhaseIsNotACompletion() {
    rig.model.faults().onCommand(ANY, 1, Kind.WRONG_PHASE);
    readBack();
    assertThat(controller.statistics().timeouts()).isEqualTo(1);
  }

  @Test
  void secondCompletionOfACommandIsDropped() {
    rig.model.faults().onCommand(ANY, 1, Kind.DUPLICATE_COMPLETION);
    readBack();
    readBack();
    readBack();
    assertThat(controller.statistics().droppedCompletions()).isEqualTo(1);
  }

  @Test
  void strayAndGarbageCompletionsAreDropped() {
    for (int id = 0; id < 0x10000; id += 0x1111) {
      rig.model.faults().onCommand(ANY, 1, Kind.STRAY_COMPLETION, id);
      readBack();
      rig.model.faults().onCommand(ANY, 1, Kind.GARBAGE_COMPLETION);
      readBack();
    }
    assertThat(controller.statistics().droppedCompletions()).isGreaterThanOrEqualTo(30);
    assertThat(controller.statistics().resets()).isZero();
  }

  @Test
  void lostInterruptIsRecovered() {
    open(NvmeConfig.DEFAULT.withCompletion(NvmeConfig.Completion.INTERRUPT));
    rig.model.faults().onCommand(ANY, 1, Kind.LOSE_INTERRUPT);
    readBack();
    assertThat(controller.statistics().aborts()).isZero();
    assertThat(controller.statistics().resets()).isZero();
  }

  @Test
  void memoryOfALateCommandStaysMappedUntilItsOwnCompletion() {
    rig.model.faults().onCommand(ANY, 1, Kind.DELAY, 45 * SECOND);
    rig.model.faults().refuseAborts();
    MemoryBlock target = rig.memory(4096);
    int before = controller.mapper().liveMappings();
    NvmeBio bio = new NvmeBio().read(namespace, 8, 8, target.ranges());
    NvmeQueue queue = namespace.submit(bio);
    while (controller.statistics().aborts() == 0) {
      letTimePass(queue);
    }
    for (int i = 0; i < 5; i++) {
      letTimePass(queue);
      assertThat(bio.isDone()).isFalse();
      assertThat(controller.mapper().liveMappings()).isGreaterThan(before);
      assertThatThrownBy(target::close).isInstanceOf(IllegalStateException.class);
    }
    queue.await(bio);
    bio.check();
    assertThat(controller.mapper().liveMappings()).isEqualTo(before);
    assertThat(target.segment().mismatch(memory.segment())).isEqualTo(-1);
  }

  @Test
  void abortedCommandThatEndsLongAfterItsAbortIsWaitedFor() {
    rig.model.faults().onCommand(ANY, 1, Kind.HOLD);
    rig.model.faults().delayAborted(10 * SECOND);
    readBack();
    assertThat(controller.statistics().resets()).isZero();
  }

  @Test
  void refusedAbortEndsInAReset() {
    rig.model.faults().onCommand(ANY, 1, Kind.HOLD);
    rig.model.faults().refuseAborts();
    readBack();
    assertThat(controller.statistics().resets()).isEqualTo(1);
  }

  @Test
  void fatalStatusEndsInAResetAndRequestsSurvive() {
    rig.model.faults().failFatally();
    readBack();
    assertThat(controller.statistics().resets()).isEqualTo(1);
    assertThat(controller.state()).isEqualTo(NvmeState.LIVE);
  }

  @Test
  void cancelledRequestWithoutRetriesSaysSo() {
    open(NvmeConfig.DEFAULT.withRetries(0));
    rig.model.faults().onCommand(ANY, 1, Kind.HOLD);
    NvmeBio bio = new NvmeBio().read(namespace, 8, 8, rig.memory(4096).ranges());
    letTimePass(namespace.submit(bio));
    controller.reset();
    assertThat(bio.isDone()).isTrue();
    assertThat(bio.failure())
        .asInstanceOf(InstanceOfAssertFactories.type(NvmeException.class))
        .satisfies(e -> assertThat(e.kind()).isEqualTo(NvmeErrorKind.CANCELLED))
        .satisfies(e -> assertThat(e.isRetryable()).isTrue());
    readBack();
  }

  @Test
  void errorWithoutRetryNamesCommandAndBlocks() {
    rig.model.faults().onCommand(ANY, 1, Kind.FAIL, StatusCode.DNR.with(StatusCode.UNRECOVERED_READ_ERROR, 1));
    assertThatThrownBy(() -> namespace.read(8, rig.memory(4096)))
        .isInstanceOf(NvmeException.class)
        .hasMessageContaining("0000:01:00.0")
        .hasMessageContaining("read of namespace 1, 8 blocks from 0x8")
        .hasMessageContaining("0x281")
        .asInstanceOf(InstanceOfAssertFactories.type(NvmeException.class))
        .satisfies(e -> assertThat(e.kind()).isEqualTo(NvmeErrorKind.MEDIUM));
    assertThat(controller.statistics().retries()).isZero();
  }

  @Test
  void retryableErrorIsRetriedUpToTheLimit() {
    for (int i = 1; i <= 5; i++) {
      rig.model.faults().onCommand(ANY, i, Kind.FAIL, StatusCode.NAMESPACE_NOT_READY);
    }
    readBack();
    assertThat(controller.statistics().retries()).isEqualTo(5);
    for (int i = 1; i <= 6; i++) {
      rig.model.faults().onCommand(ANY, i, Kind.FAIL, StatusCode.NAMESPACE_NOT_READY);
    }
    assertThatThrownBy(this::readBack).isInstanceOf(NvmeException.class).hasMessageContaining("0x82");
  }

  @Test
  void controllerPulledOutFailsWhatIsUnderWayAndWhatComes() {
    NvmeBio bio = new NvmeBio().read(namespace, 8, 8, rig.memory(4096).ranges());
    rig.model.faults().surpriseRemove();
    NvmeQueue queue = namespace.submit(bio);
    queue.await(bio);
    assertThat(bio.failure())
        .asInstanceOf(InstanceOfAssertFactories.type(NvmeException.class))
        .satisfies(e -> assertThat(e.kind()).isEqualTo(NvmeErrorKind.GONE))
        .satisfies(e -> assertThat(e.isRetryable()).isFalse());
    assertThat(controller.state()).isEqualTo(NvmeState.DEAD);
    assertThatThrownBy(this::readBack).isInstanceOf(NvmeException.class).hasMessageContaining("GONE");
  }

  @Test
  void slotPulledOutFailsWhatIsUnderWay() {
    NvmeBio bio = new NvmeBio().read(namespace, 8, 8, rig.memory(4096).ranges());
    NvmeQueue queue = namespace.submit(bio);
    rig.machine.unplug(Rig.ADDRESS);
    queue.await(bio);
    assertThat(controller.state()).isEqualTo(NvmeState.DEAD);
  }

  @Test
  void resetUnderLoadLosesNothing() {
    MemoryBlock[] targets = new MemoryBlock[40];
    NvmeBio[] bios = new NvmeBio[targets.length];
    for (int round = 0; round < 5; round++) {
      for (int i = 0; i < bios.length; i++) {
        targets[i] = rig.memory(4096);
        bios[i] = new NvmeBio().read(namespace, 8, 8, targets[i].ranges());
        namespace.submit(bios[i]);
      }
      controller.queues().getFirst().poll();
      controller.reset();
      for (int i = 0; i < bios.length; i++) {
        controller.queues().getFirst().await(bios[i]);
        bios[i].check();
        assertThat(targets[i].segment().mismatch(memory.segment())).isEqualTo(-1);
      }
    }
    assertThat(controller.statistics().resets()).isEqualTo(5);
    assertThat(controller.statistics().retries()).isPositive();
    assertThat(controller.queues().getFirst().outstanding()).isZero();
  }

  @Test
  void closingUnderLoadCancelsAndGivesAllMemoryBack() {
    NvmeBio[] bios = new NvmeBio[40];
    for (int i = 0; i < bios.length; i++) {
      bios[i] = new NvmeBio().read(namespace, 8, 8, rig.memory(4096).ranges());
      namespace.submit(bios[i]);
    }
    controller.close();
    for (NvmeBio bio : bios) {
      assertThat(bio.isDone()).isTrue();
    }
    assertThat(controller.mapper().liveMappings()).isZero();
    assertThatThrownBy(() -> namespace.submit(bios[0])).isInstanceOf(NvmeException.class).hasMessageContaining("GONE");
  }

  /** Let time pass until a request is over, but not much longer than an I/O and an admin command may hang: 30 and 60 seconds. */
  private void awaitWithinTimeouts(NvmeQueue queue, NvmeBio bio) {
    long end = rig.machine.timers().nanoTime() + 100 * SECOND;
    while (!bio.isDone() && rig.machine.timers().nanoTime() < end) {
      letTimePass(queue);
    }
    assertThat(bio.isDone()).isTrue();
    bio.check();
  }

  @Test
  void commandThatHangsWhileAdminCommandsHangEndsInAReset() {
    rig.model.faults().onCommand(0, 1, Kind.HOLD);
    assertThatThrownBy(controller::rescan).hasMessageContaining("did not complete within");
    rig.model.faults().onCommand(ANY, 1, Kind.HOLD);
    MemoryBlock back = rig.memory(4096);
    NvmeBio bio = new NvmeBio().read(namespace, 8, 8, back.ranges());
    awaitWithinTimeouts(namespace.submit(bio), bio);
    assertThat(back.segment().mismatch(memory.segment())).isEqualTo(-1);
    assertThat(controller.statistics().aborts()).isZero();
    assertThat(controller.statistics().resets()).isEqualTo(1);
    assertThat(controller.rescan()).hasSize(1);
  }

  @Test
  void commandThatHangsWhileEveryAbortHangsEndsInAReset() {
    int aborts = NvmeModelConfig.DEFAULT.abortLimit() + 1;
    NvmeQueue queue = controller.queues().getFirst();
    NvmeBio[] late = new NvmeBio[aborts];
    for (int i = 0; i < aborts; i++) {
      rig.model.faults().onCommand(ANY, i + 1, Kind.DELAY, 45 * SECOND);
      rig.model.faults().onCommand(0, i + 1, Kind.HOLD);
    }
    for (int i = 0; i < aborts; i++) {
      late[i] = new NvmeBio().read(namespace, 8, 8, rig.memory(4096).ranges());
      namespace.submit(late[i]);
    }
    for (NvmeBio bio : late) {
      awaitWithinTimeouts(queue, bio);
    }
    assertThat(controller.statistics().aborts()).isEqualTo(aborts);
    assertThat(controller.statistics().resets()).isZero();
    rig.model.faults().onCommand(ANY, 1, Kind.HOLD);
    NvmeBio bio = new NvmeBio().read(namespace, 8, 8, rig.memory(4096).ranges());
    namespace.submit(bio);
    awaitWithinTimeouts(queue, bio);
    assertThat(controller.statistics().resets()).isEqualTo(1);
  }

  @Test
  void queueThatIsPolledAndRungAfterItsControllerWasClosedTouchesNothing() {
    NvmeQueue queue = controller.queues().getFirst();
    NvmeBio unsent = new NvmeBio().read(namespace, 8, 8, rig.memory(4096).ranges());
    assertThat(queue.trySubmit(unsent, false)).isTrue();
    controller.close();
    rig.registers.onWrite(
        (int) DoorbellLayout.submissionTail(queue.id(), 0),
        () -> {
          throw new AssertionError("a doorbell was rung");
        });
    queue.ring();
    assertThat(queue.poll()).isZero();
    assertThat(controller.poll()).isZero();
    assertThat(unsent.isDone()).isTrue();
  }
}
