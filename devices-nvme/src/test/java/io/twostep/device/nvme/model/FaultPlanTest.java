package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.FaultPlan.Kind;
import io.twostep.device.nvme.model.TinyHost.Cqe;
import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.AbortCommandLayout;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.QueueCommandLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FaultPlanTest {
  private final TinyHost host = TinyHost.running(NvmeModelConfig.DEFAULT.with(c -> c.abortLimit(1)));
  private final Queue queue = host.createQueue(1, 16);
  private final FaultPlan faults = host.model.faults();

  @AfterEach
  void close() {
    host.close();
  }

  private MemorySegment read() {
    return prp(host.io(NvmOpcode.READ, 0, 8), DATA, 0);
  }

  private MemorySegment abort(MemorySegment victim) {
    MemorySegment sqe = host.command(AdminOpcode.ABORT, 0);
    AbortCommandLayout.SQ_ID.set(sqe, 0, 1);
    AbortCommandLayout.COMMAND_ID.set(sqe, 0, SqeLayout.COMMAND_ID.get(victim, 0));
    return sqe;
  }

  private void spoil() {
    host.at(DATA, 4096).fill((byte) 9);
  }

  private boolean isRead() {
    return host.at(DATA, 4096).get(ValueLayout.JAVA_BYTE, 0) == 0;
  }

  @Test
  void lostCompletionLeavesTheWorkDone() {
    faults.onCommand(1, 2, Kind.DROP_COMPLETION);
    assertThat(host.execute(queue, read()).status()).isZero();
    spoil();
    host.submit(queue, read());
    assertThat(host.reap(queue)).isEmpty();
    assertThat(isRead()).isTrue();
    assertThat(faults.waiting()).isZero();
    assertThat(host.execute(queue, read()).status()).isZero();
  }

  @Test
  void heldCommandWaitsForItsAbort() {
    faults.onCommand(FaultPlan.ANY_IO_QUEUE, 1, Kind.HOLD);
    spoil();
    MemorySegment victim = read();
    host.submit(queue, victim);
    host.pass(60_000_000_000L);
    assertThat(host.reap(queue)).isEmpty();
    assertThat(isRead()).isFalse();
    assertThat(host.admin(abort(victim)).result()).as("aborted").isZero();
    host.pass(0);
    assertThat(host.reap(queue)).singleElement().extracting(Cqe::code).isEqualTo(StatusCode.ABORT_REQUESTED);
    assertThat(host.admin(abort(victim)).result()).as("there is nothing to abort").isEqualTo(1);
    assertThat(isRead()).isFalse();
  }

  @Test
  void delayedCommandWritesLate() {
    faults.onCommand(1, 1, Kind.DELAY, 1_000_000);
    spoil();
    host.submit(queue, read());
    assertThat(host.execute(queue, host.command(NvmOpcode.FLUSH, 1)).status()).as("others go on").isZero();
    host.pass(999_999);
    assertThat(isRead()).isFalse();
    host.pass(1);
    assertThat(isRead()).isTrue();
    assertThat(host.reap(queue)).singleElement().extracting(Cqe::status).isEqualTo(0);
  }

  @Test
  void abortedCommandMayCompleteLongAfterItsAbort() {
    faults.onCommand(1, 1, Kind.HOLD);
    faults.delayAborted(5_000);
    MemorySegment victim = read();
    host.submit(queue, victim);
    assertThat(host.admin(abort(victim)).result()).isZero();
    host.pass(4_999);
    assertThat(host.reap(queue)).isEmpty();
    host.pass(1);
    assertThat(host.reap(queue)).hasSize(1);
  }

  @Test
  void slowAbortsAreLimited() {
    faults.onCommand(1, 1, Kind.HOLD);
    faults.delayAborts(1_000);
    MemorySegment victim = read();
    host.submit(queue, victim);
    host.submit(host.admin, abort(victim));
    host.submit(host.admin, abort(victim));
    host.submit(host.admin, abort(victim));
    assertThat(host.reap(host.admin)).singleElement().extracting(Cqe::code).isEqualTo(StatusCode.ABORT_LIMIT_EXCEEDED);
    host.pass(1_000);
    assertThat(host.reap(host.admin)).extracting(Cqe::result).containsExactly(0L, 1L);
    host.pass(0);
    assertThat(host.reap(queue)).hasSize(1);
    faults.clear();
    assertThat(host.admin(abort(victim)).result()).as("the limit is free again").isEqualTo(1);
  }

  @Test
  void refusedAbortsAbortNothing() {
    faults.onCommand(1, 1, Kind.HOLD);
    faults.refuseAborts();
    MemorySegment victim = read();
    host.submit(queue, victim);
    assertThat(host.admin(abort(victim)).result()).isEqualTo(1);
    assertThat(host.reap(queue)).isEmpty();
  }

  @Test
  void duplicateStrayAndGarbageCompletionsComeBesideTheRealOne() {
    faults.onCommand(1, 1, Kind.DUPLICATE_COMPLETION);
    MemorySegment sqe = read();
    host.submit(queue, sqe);
    assertThat(host.reap(queue)).extracting(Cqe::commandId).hasSize(2).containsOnly(SqeLayout.COMMAND_ID.get(sqe, 0));
    faults.onCommand(1, 1, Kind.STRAY_COMPLETION, 0xf123);
    sqe = read();
    host.submit(queue, sqe);
    assertThat(host.reap(queue)).extracting(Cqe::commandId).containsExactly(0xf123, SqeLayout.COMMAND_ID.get(sqe, 0));
    faults.onCommand(1, 1, Kind.GARBAGE_COMPLETION);
    sqe = read();
    host.submit(queue, sqe);
    List<Cqe> taken = host.reap(queue);
    assertThat(taken.getFirst().queueId()).isEqualTo(0xdead);
    assertThat(taken.getLast().commandId()).isEqualTo(SqeLayout.COMMAND_ID.get(sqe, 0));
  }

  @Test
  void wrongPhaseIsNotSeenAndNotCounted() {
    faults.onCommand(1, 1, Kind.WRONG_PHASE);
    host.submit(queue, read());
    assertThat(host.reap(queue)).isEmpty();
    assertThat(host.execute(queue, read()).status()).isZero();
  }

  @Test
  void failureReportsTheStatusAsGiven() {
    int status = StatusCode.CRD.with(StatusCode.COMMAND_INTERRUPTED, 2);
    faults.onCommand(1, 1, Kind.FAIL, status);
    spoil();
    assertThat(host.execute(queue, read()).status()).isEqualTo(status);
    assertThat(isRead()).isFalse();
  }

  @Test
  void lostInterruptLeavesTheCompletion() {
    host.interrupts.clear();
    faults.onCommand(1, 1, Kind.LOSE_INTERRUPT);
    host.submit(queue, read());
    assertThat(host.interrupts).isEmpty();
    assertThat(host.reap(queue)).hasSize(1);
  }

  @Test
  void deletingAQueueEndsItsHeldCommands() {
    faults.onCommand(1, 1, Kind.HOLD);
    host.submit(queue, read());
    MemorySegment delete = host.command(AdminOpcode.DELETE_SUBMISSION_QUEUE, 0);
    QueueCommandLayout.QUEUE_ID.set(delete, 0, 1);
    assertThat(host.admin(delete).status()).isZero();
    assertThat(host.peekAll(queue)).singleElement().extracting(Cqe::code).isEqualTo(StatusCode.ABORTED_QUEUE_DELETED);
  }

  @Test
  void resetForgetsHeldCommands() {
    faults.onCommand(1, 1, Kind.DELAY, 1_000);
    spoil();
    host.submit(queue, read());
    host.disable();
    host.pass(10_000);
    assertThat(isRead()).as("the device does not write after a reset").isFalse();
  }

  @Test
  void doorbellAfterAFatalErrorIsNobodysFault() {
    faults.failFatally();
    host.submit(queue, read());
    assertThat(host.reap(queue)).isEmpty();
    assertThat(host.model.violations()).isEmpty();
  }

  @Test
  void idOfAHeldCommandIsTaken() {
    faults.onCommand(1, 1, Kind.HOLD);
    MemorySegment sqe = read();
    host.submit(queue, sqe);
    host.submit(queue, sqe);
    assertThat(host.reap(queue)).singleElement().extracting(Cqe::code).isEqualTo(StatusCode.COMMAND_ID_CONFLICT);
  }

  @Test
  void heldCommandsKeepRoomForTheirCompletions() {
    Queue small = host.createQueue(2, 3);
    faults.onCommand(2, 1, Kind.DELAY, 1_000);
    host.put(small, read());
    host.put(small, read());
    host.ringTail(small);
    host.run();
    assertThat(host.reap(small)).hasSize(1);
    host.pass(1_000);
    assertThat(host.reap(small)).hasSize(1);
    assertThatThrownBy(() -> faults.onCommand(1, 0, Kind.HOLD)).isInstanceOf(IllegalArgumentException.class);
  }
}
