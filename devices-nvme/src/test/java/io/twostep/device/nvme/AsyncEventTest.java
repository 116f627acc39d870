package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.FaultPlan;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.wire.AsyncEventLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.LogPageCommandLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Has the controller report events of every kind, alone and in floods, and at bad moments. */
class AsyncEventTest {
  private static final NvmeEvent DOORBELL =
      new NvmeEvent(AsyncEventLayout.TYPE_ERROR, AsyncEventLayout.ERROR_INVALID_DOORBELL_REGISTER, LogPageCommandLayout.LID_ERROR);
  private static final NvmeEvent TOO_HOT = new NvmeEvent(AsyncEventLayout.TYPE_HEALTH, 1, LogPageCommandLayout.LID_SMART);
  private static final NvmeEvent NAMESPACES =
      new NvmeEvent(AsyncEventLayout.TYPE_NOTICE, AsyncEventLayout.NOTICE_NAMESPACE_CHANGED, LogPageCommandLayout.LID_CHANGED_NAMESPACES);
  private static final NvmeEvent VENDOR = new NvmeEvent(7, 0x42, 0xc0);

  /** The command id of the driver's event request: beyond all tags of its admin queue. */
  private static final int EVENT_REQUEST = 31;

  private final Rig rig = new Rig(NvmeModelConfig.DEFAULT, Rig.Stack.IOMMU, Map.of());
  private final NvmeController controller = rig.open(NvmeConfig.DEFAULT.withTimeouts(1_000_000_000L, 1_000_000_000L));
  private final List<NvmeEvent> told = new ArrayList<>();

  AsyncEventTest() {
    controller.onEvent(told::add);
  }

  @AfterEach
  void close() {
    controller.close();
    rig.close();
  }

  private void report(NvmeEvent event) {
    rig.model.faults().reportEvent(event.type(), event.information(), event.logPage());
  }

  /** Let the controller work and the driver look. */
  private void goOn() {
    for (int i = 0; i < 20; i++) {
      controller.namespace(1).flush();
      controller.poll();
    }
  }

  @Test
  void wrongDoorbellIsToldAndCanBeToldAgain() {
    for (int round = 1; round <= 5; round++) {
      rig.slot.mmio(0).write32(DoorbellLayout.submissionTail(7, 0), 1);
      goOn();
      assertThat(told).hasSize(round).containsOnly(DOORBELL);
    }
    assertThat(rig.model.violations()).hasSize(5);
  }

  @Test
  void everyKindArrivesWithWhatItSays() {
    for (NvmeEvent event : List.of(TOO_HOT, NAMESPACES, DOORBELL)) {
      told.clear();
      report(event);
      goOn();
      assertThat(told).containsExactly(event);
      assertThat(event.isNamespaceChange()).isEqualTo(event == NAMESPACES);
    }
  }

  @Test
  void moreEventsThanRequestsAllArrive() {
    report(TOO_HOT);
    report(NAMESPACES);
    report(VENDOR);
    report(DOORBELL);
    goOn();
    assertThat(told).containsExactlyInAnyOrder(TOO_HOT, NAMESPACES, VENDOR, DOORBELL);
  }

  @Test
  void eventWhoseLogPageCannotBeReadStaysMaskedAndHarmsNoOther() {
    for (int i = 0; i < 3; i++) {
      report(VENDOR);
      goOn();
    }
    assertThat(told).as("no log page 0xc0 exists, so nothing lets it be reported again").containsExactly(VENDOR);
    report(TOO_HOT);
    goOn();
    assertThat(told).containsExactly(VENDOR, TOO_HOT);
  }

  @Test
  void floodOfOneKindIsToldAtLeastOnceAndNotOncePerEvent() {
    for (int i = 0; i < 500; i++) {
      report(TOO_HOT);
    }
    goOn();
    assertThat(told).containsExactly(TOO_HOT);
    report(TOO_HOT);
    goOn();
    assertThat(told).containsExactly(TOO_HOT, TOO_HOT);
  }

  @Test
  void noticeThatWasNotAskedForIsNotReported() {
    report(new NvmeEvent(AsyncEventLayout.TYPE_NOTICE, 3, LogPageCommandLayout.LID_SMART));
    goOn();
    assertThat(told).isEmpty();
  }

  @Test
  void eventsAreAskedForAgainAfterEveryReset() {
    for (int round = 0; round < 3; round++) {
      controller.reset();
      told.clear();
      report(TOO_HOT);
      goOn();
      assertThat(told).containsExactly(TOO_HOT);
    }
  }

  @Test
  void eventThatArrivedBeforeAResetIsToldAfterIt() {
    NvmeQueue queue = controller.queues().getFirst();
    report(TOO_HOT);
    // The machine goes on without the driver looking at its admin queue.
    queue.trySubmit(new NvmeBio().flush(controller.namespace(1)));
    for (int i = 0; i < 3; i++) {
      rig.machine.timers().pause();
    }
    assertThat(told).isEmpty();
    controller.reset();
    goOn();
    assertThat(told).containsExactly(TOO_HOT);
  }

  @Test
  void eventOfAControllerThatDoesNotAnswerEndsInAReset() {
    goOn();
    report(TOO_HOT);
    rig.model.faults().onCommand(0, 1, FaultPlan.Kind.HOLD);
    goOn();
    assertThat(told).containsExactly(TOO_HOT);
    assertThat(controller.statistics().resets()).isEqualTo(1);
    assertThat(controller.state()).isEqualTo(NvmeState.LIVE);
    report(TOO_HOT);
    goOn();
    assertThat(told).containsExactly(TOO_HOT, TOO_HOT);
  }

  @Test
  void listenerMayCallTheControllerAndMayThrow() {
    controller.onEvent(
        event -> {
          told.add(event);
          controller.rescan();
          controller.reset();
          throw new IllegalStateException("a listener's own mistake");
        });
    report(NAMESPACES);
    goOn();
    assertThat(told).containsExactly(NAMESPACES);
    assertThat(controller.statistics().resets()).isEqualTo(1);
  }

  @Test
  void eventsThatNobodyRequestedAreDropped() {
    goOn();
    for (int i = 0; i < 2; i++) {
      // Two in a row, before the driver can ask again: the first one looks real.
      rig.model.faults().onCommand(0, 1, FaultPlan.Kind.STRAY_COMPLETION, EVENT_REQUEST);
      controller.rescan();
    }
    assertThat(controller.statistics().droppedCompletions()).isEqualTo(1);
    goOn();
    report(TOO_HOT);
    goOn();
    assertThat(told).contains(TOO_HOT);
    assertThat(controller.state()).isEqualTo(NvmeState.LIVE);
  }

  @Test
  void listenerThatFailsBadlyCostsNoPollItsAnswer() {
    controller.onEvent(
        event -> {
          told.add(event);
          throw new AssertionError("thrown on purpose");
        });
    report(NAMESPACES);
    goOn();
    assertThat(told).containsExactly(NAMESPACES);
  }
}
