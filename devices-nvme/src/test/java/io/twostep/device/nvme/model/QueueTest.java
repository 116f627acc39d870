package io.twostep.device.nvme.model;

import static io.twostep.device.nvme.model.TinyHost.BASE;
import static io.twostep.device.nvme.model.TinyHost.DATA;
import static io.twostep.device.nvme.model.TinyHost.PAGE;
import static io.twostep.device.nvme.model.TinyHost.prp;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.Seeds;
import io.twostep.device.nvme.model.TinyHost.Cqe;
import io.twostep.device.nvme.model.TinyHost.Queue;
import io.twostep.device.nvme.wire.AbortCommandLayout;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.CcLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.FeatureCommandLayout;
import io.twostep.device.nvme.wire.FeatureId;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.QueueCommandLayout;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.device.nvme.wire.ShadowDoorbellLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QueueTest {
  private static final long SHADOW = DATA + 0x10_0000;
  private static final long EVENTS = DATA + 0x20_0000;

  private TinyHost host =
      TinyHost.running(NvmeModelConfig.DEFAULT.with(c -> c.ioQueues(4).vectors(5).queueEntries(64).doorbellStride(1)));

  @AfterEach
  void close() {
    host.close();
  }

  private int status(MemorySegment sqe) {
    return host.admin(sqe).code();
  }

  private MemorySegment completion(Queue queue) {
    return host.createCompletion(queue, 3, queue.id);
  }

  private MemorySegment delete(int opcode, int id) {
    MemorySegment sqe = host.command(opcode, 0);
    QueueCommandLayout.QUEUE_ID.set(sqe, 0, id);
    return sqe;
  }

  @Test
  void completionQueuesAreCreatedByTheRules() {
    Queue queue = host.queue(1, 16);
    assertThat(status(completion(host.queue(0, 16)))).isEqualTo(StatusCode.INVALID_QUEUE_ID);
    assertThat(status(completion(host.queue(5, 16)))).isEqualTo(StatusCode.INVALID_QUEUE_ID);
    assertThat(status(completion(host.queue(1, 1)))).isEqualTo(StatusCode.INVALID_QUEUE_SIZE);
    assertThat(status(completion(host.queue(1, 65)))).isEqualTo(StatusCode.INVALID_QUEUE_SIZE);
    assertThat(status(host.createCompletion(queue, 2, 1))).as("not contiguous").isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(status(host.createCompletion(queue, 3, 5))).isEqualTo(StatusCode.INVALID_INTERRUPT_VECTOR);
    assertThat(status(completion(new Queue(1, 16, BASE, 0)))).isEqualTo(StatusCode.INVALID_FIELD);
    assertThat(status(completion(new Queue(1, 16, BASE, BASE + 16)))).isEqualTo(StatusCode.PRP_OFFSET_INVALID);
    assertThat(status(completion(queue))).isZero();
    assertThat(status(completion(queue))).as("twice").isEqualTo(StatusCode.INVALID_QUEUE_ID);
  }

  @Test
  void submissionQueuesNeedTheirCompletionQueueFirst() {
    Queue queue = host.queue(2, 16);
    assertThat(status(host.createSubmission(queue, 2))).isEqualTo(StatusCode.COMPLETION_QUEUE_INVALID);
    assertThat(status(host.createSubmission(queue, 0))).isEqualTo(StatusCode.INVALID_QUEUE_ID);
    assertThat(status(host.createSubmission(queue, 5))).isEqualTo(StatusCode.INVALID_QUEUE_ID);
    assertThat(status(completion(queue))).isZero();
    assertThat(status(host.createSubmission(host.queue(2, 65), 2))).isEqualTo(StatusCode.INVALID_QUEUE_SIZE);
    assertThat(status(host.createSubmission(queue, 2))).isZero();
    assertThat(status(host.createSubmission(queue, 2))).isEqualTo(StatusCode.INVALID_QUEUE_ID);
  }

  @Test
  void queuesAreDeletedSubmissionFirst() {
    host.createQueue(1, 16);
    assertThat(status(delete(AdminOpcode.DELETE_COMPLETION_QUEUE, 1))).isEqualTo(StatusCode.INVALID_QUEUE_DELETION);
    assertThat(status(delete(AdminOpcode.DELETE_COMPLETION_QUEUE, 0))).isEqualTo(StatusCode.INVALID_QUEUE_ID);
    assertThat(status(delete(AdminOpcode.DELETE_SUBMISSION_QUEUE, 0))).isEqualTo(StatusCode.INVALID_QUEUE_ID);
    assertThat(status(delete(AdminOpcode.DELETE_SUBMISSION_QUEUE, 3))).isEqualTo(StatusCode.INVALID_QUEUE_ID);
    assertThat(status(delete(AdminOpcode.DELETE_SUBMISSION_QUEUE, 1))).isZero();
    assertThat(status(delete(AdminOpcode.DELETE_COMPLETION_QUEUE, 1))).isZero();
    host.createQueue(1, 16);
  }

  @Test
  void entrySizesMustBeSetBeforeQueuesAre() {
    host.disable();
    host.write32(RegisterLayout.CC.offset(), CcLayout.IOCQES.with(CcLayout.IOSQES.with(host.cc(), 0), 0));
    host.setUpAdminQueues();
    host.write32(RegisterLayout.CC.offset(), CcLayout.EN.with(CcLayout.IOCQES.with(CcLayout.IOSQES.with(host.cc(), 0), 0), 1));
    host.admin.tail = 0;
    host.admin.head = 0;
    host.admin.phase = 1;
    host.at(host.admin.cq, 512).fill((byte) 0);
    host.run();
    assertThat(status(completion(host.queue(1, 16)))).isEqualTo(StatusCode.INVALID_QUEUE_SIZE);
  }

  @Test
  void grantedQueuesAreTheLimitUntilOneExists() {
    MemorySegment sqe = host.command(AdminOpcode.SET_FEATURES, 0);
    FeatureCommandLayout.CDW10.set(sqe, 0, FeatureId.NUMBER_OF_QUEUES);
    FeatureCommandLayout.CDW11.set(sqe, 0, 7 << 16 | 7);
    assertThat(host.admin(sqe).result()).isEqualTo(3 << 16 | 3);
    FeatureCommandLayout.CDW11.set(sqe, 0, 1 << 16 | 1);
    assertThat(host.admin(sqe).result()).isEqualTo(1 << 16 | 1);
    assertThat(status(completion(host.queue(3, 16)))).isEqualTo(StatusCode.INVALID_QUEUE_ID);
    FeatureCommandLayout.CDW11.set(sqe, 0, 0xffff);
    assertThat(status(sqe)).isEqualTo(StatusCode.INVALID_FIELD);
    host.createQueue(2, 16);
    FeatureCommandLayout.CDW11.set(sqe, 0, 1 << 16 | 1);
    assertThat(status(sqe)).isEqualTo(StatusCode.COMMAND_SEQUENCE_ERROR);
  }

  @Test
  void wrongDoorbellsChangeNothingAndAreNoted() {
    Queue queue = host.createQueue(1, 8);
    int stride = host.config.doorbellStride();
    int tail = (int) DoorbellLayout.submissionTail(1, stride);
    int head = (int) DoorbellLayout.completionHead(1, stride);
    host.write32(tail, 8);
    host.write32(tail, -1);
    host.write32(tail, 0);
    host.write32(head, 1);
    host.write32(head, 0);
    host.write32((int) DoorbellLayout.submissionTail(2, stride), 1);
    host.write32((int) DoorbellLayout.completionHead(4000, stride), 1);
    host.write32(tail + 4, 1);
    host.model.write(0, tail, 8, 1);
    assertThat(host.model.violations()).hasSize(9);
    assertThat(host.execute(queue, host.command(NvmOpcode.FLUSH, 1)).status()).isZero();
  }

  @Test
  void tailThatAnnouncesMoreThanFitsIsRefused() {
    Queue queue = host.createQueue(1, 8);
    int tail = (int) DoorbellLayout.submissionTail(1, host.config.doorbellStride());
    for (int i = 0; i < 7; i++) {
      host.put(queue, host.command(NvmOpcode.FLUSH, 1));
    }
    host.write32(tail, 5);
    host.write32(tail, 3);
    assertThat(host.model.violations()).singleElement().asString().contains("tail 3 of submission queue 1 at 5");
    host.write32(tail, 7);
    host.run();
    assertThat(host.reap(queue)).hasSize(7);
  }

  @Test
  void fullCompletionQueueIsNeverOverrun() {
    Queue queue = new Queue(1, 4, BASE + 0x10_0000, BASE + 0x18_0000);
    assertThat(status(completion(queue))).isZero();
    Queue many = new Queue(1, 32, queue.sq, queue.cq);
    assertThat(status(host.createSubmission(many, 1))).isZero();
    for (int i = 0; i < 10; i++) {
      host.put(many, host.command(NvmOpcode.FLUSH, 1));
    }
    host.ringTail(many);
    host.run();
    List<Integer> counts = new ArrayList<>();
    List<Cqe> all = new ArrayList<>();
    while (all.size() < 10) {
      List<Cqe> some = host.reap(queue);
      counts.add(some.size());
      all.addAll(some);
    }
    assertThat(counts).containsExactly(3, 3, 3, 1);
    assertThat(all).extracting(Cqe::sqHead).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4, 5, 8, 64})
  void everyCommandCompletesExactlyOnceInOrder(int entries) {
    RandomGenerator random = Seeds.random();
    Queue queue = host.createQueue(1, entries);
    List<Integer> expected = new ArrayList<>();
    List<Integer> completed = new ArrayList<>();
    int outstanding = 0;
    for (int round = 0; round < 3_000; round++) {
      int more = random.nextInt(entries - outstanding);
      for (int i = 0; i < more; i++) {
        MemorySegment sqe = host.command(NvmOpcode.FLUSH, 1);
        expected.add(SqeLayout.COMMAND_ID.get(sqe, 0));
        host.put(queue, sqe);
      }
      outstanding += more;
      if (more > 0) {
        host.ringTail(queue);
      }
      if (random.nextBoolean()) {
        host.run();
      }
      List<Cqe> some = host.reap(queue);
      outstanding -= some.size();
      some.forEach(cqe -> completed.add(cqe.commandId()));
    }
    host.run();
    host.reap(queue).forEach(cqe -> completed.add(cqe.commandId()));
    assertThat(completed).as(Seeds.at(0)).isEqualTo(expected).hasSizeGreaterThan(entries);
    assertThat(host.model.violations()).isEmpty();
  }

  @Test
  void queuesMayShareCompletions() {
    Queue first = host.createQueue(1, 8);
    Queue second = host.queue(2, 8);
    assertThat(status(host.createSubmission(second, 1))).isZero();
    host.put(first, host.command(NvmOpcode.FLUSH, 1));
    host.put(second, host.command(NvmOpcode.FLUSH, 1));
    host.ringTail(first);
    host.ringTail(second);
    host.run();
    assertThat(host.reap(first)).extracting(Cqe::queueId).containsExactlyInAnyOrder(1, 2);
  }

  @Test
  void interruptsFollowTheQueueTheMaskAndTheFeature() {
    Queue loud = host.createQueue(3, 16);
    host.interrupts.clear();
    host.submit(loud, host.command(NvmOpcode.FLUSH, 1));
    assertThat(host.interrupts).containsExactly(3);
    host.write32(RegisterLayout.INTMS.offset(), 1 << 3);
    host.submit(loud, host.command(NvmOpcode.FLUSH, 1));
    assertThat(host.interrupts).containsExactly(3);
    assertThat(host.read32(RegisterLayout.INTMS.offset())).isEqualTo(1 << 3);
    host.write32(RegisterLayout.INTMC.offset(), 1 << 3);
    assertThat(host.interrupts).containsExactly(3, 3);

    Queue quiet = host.queue(1, 16);
    assertThat(status(host.createCompletion(quiet, 1, 1))).isZero();
    assertThat(status(host.createSubmission(quiet, 1))).isZero();
    host.interrupts.clear();
    host.submit(quiet, host.command(NvmOpcode.FLUSH, 1));
    assertThat(host.interrupts).isEmpty();
    assertThat(host.reap(quiet)).hasSize(1);
  }

  @Test
  void coalescedInterruptsComeByCountOrTime() {
    Queue queue = host.createQueue(3, 16);
    MemorySegment sqe = host.command(AdminOpcode.SET_FEATURES, 0);
    FeatureCommandLayout.CDW10.set(sqe, 0, FeatureId.INTERRUPT_COALESCING);
    FeatureCommandLayout.CDW11.set(sqe, 0, 5 << 8 | 2);
    host.submit(host.admin, sqe);
    host.pass(500_000);
    host.reap(host.admin);
    host.interrupts.clear();
    host.submit(queue, host.command(NvmOpcode.FLUSH, 1));
    host.submit(queue, host.command(NvmOpcode.FLUSH, 1));
    assertThat(host.interrupts).isEmpty();
    host.submit(queue, host.command(NvmOpcode.FLUSH, 1));
    assertThat(host.interrupts).as("three entries").containsExactly(3);
    host.submit(queue, host.command(NvmOpcode.FLUSH, 1));
    host.pass(499_999);
    assertThat(host.interrupts).hasSize(1);
    host.pass(1);
    assertThat(host.interrupts).as("after 500 us").hasSize(2);
  }

  @Test
  void shadowDoorbellsReplaceTheRealOnesUntilTheEventIsPassed() {
    Queue queue = host.createQueue(1, 8);
    enableShadows();
    int rings = 0;
    for (int i = 0; i < 100; i++) {
      rings += shadowSubmit(queue) ? 1 : 0;
      if (i % 3 == 2) {
        rings += shadowSubmit(queue) ? 1 : 0;
      }
      host.run();
      List<Cqe> taken = host.peekAll(queue);
      assertThat(taken).isNotEmpty().allMatch(cqe -> cqe.status() == 0);
      ShadowDoorbellLayout.WORD.set(host.memory, head(SHADOW), queue.head);
    }
    assertThat(rings).as("the model asks for a ring whenever it goes to sleep").isEqualTo(100);
    assertThat(host.model.violations()).isEmpty();
  }

  @Test
  void shadowedHeadIsReadWhenTheQueueIsFull() {
    Queue queue = host.createQueue(1, 4);
    enableShadows();
    for (int i = 0; i < 3; i++) {
      shadowSubmit(queue);
    }
    host.run();
    int before = queue.head;
    assertThat(host.peekAll(queue)).hasSize(3);
    for (int i = 0; i < 3; i++) {
      shadowSubmit(queue);
    }
    host.run();
    assertThat(host.peekAll(queue)).as("no room yet").isEmpty();
    int event = ShadowDoorbellLayout.WORD.get(host.memory, head(EVENTS));
    assertThat(ShadowDoorbellLayout.passesEvent(event, queue.head, before)).isTrue();
    ShadowDoorbellLayout.WORD.set(host.memory, head(SHADOW), queue.head);
    host.ringHead(queue);
    host.run();
    assertThat(host.peekAll(queue)).hasSize(3);
    assertThat(host.model.violations()).isEmpty();
  }

  @Test
  void shadowTailThatCannotBeIsNotFollowed() {
    Queue queue = host.createQueue(1, 8);
    enableShadows();
    ShadowDoorbellLayout.WORD.set(host.memory, tail(SHADOW), 8);
    host.ringTail(queue);
    host.run();
    assertThat(host.peekAll(queue)).isEmpty();
    assertThat(host.model.violations()).isNotEmpty().allMatch(v -> v.contains("shadow tail 8"));
  }

  @Test
  void shadowDoorbellsAreOptionalAndAligned() {
    assertThat(status(prp(host.command(AdminOpcode.DOORBELL_BUFFER_CONFIG, 0), SHADOW + 8, EVENTS)))
        .isEqualTo(StatusCode.INVALID_FIELD);
    host.close();
    host = TinyHost.running(NvmeModelConfig.DEFAULT.with(c -> c.shadowDoorbells(false)));
    assertThat(status(prp(host.command(AdminOpcode.DOORBELL_BUFFER_CONFIG, 0), SHADOW, EVENTS)))
        .isEqualTo(StatusCode.INVALID_OPCODE);
  }

  private void enableShadows() {
    host.at(SHADOW, PAGE).fill((byte) 0);
    host.at(EVENTS, PAGE).fill((byte) 0);
    assertThat(status(prp(host.command(AdminOpcode.DOORBELL_BUFFER_CONFIG, 0), SHADOW, EVENTS))).isZero();
    host.run();
  }

  private long tail(long buffer) {
    return buffer - BASE + ShadowDoorbellLayout.submissionTail(1, host.config.doorbellStride());
  }

  private long head(long buffer) {
    return buffer - BASE + ShadowDoorbellLayout.completionHead(1, host.config.doorbellStride());
  }

  /** Submit as the specification wants it; returns whether the real doorbell had to be rung. */
  private boolean shadowSubmit(Queue queue) {
    int before = queue.tail;
    host.put(queue, host.command(NvmOpcode.FLUSH, 1));
    ShadowDoorbellLayout.WORD.set(host.memory, tail(SHADOW), queue.tail);
    int event = ShadowDoorbellLayout.WORD.get(host.memory, tail(EVENTS));
    boolean ring = ShadowDoorbellLayout.passesEvent(event, queue.tail, before);
    if (ring) {
      host.ringTail(queue);
    }
    return ring;
  }

  @Test
  void completionQueueWithoutRoomForAllThatOneBurstNeedsIsNotOverrun() {
    List<Integer> expected = new ArrayList<>();
    MemorySegment request = host.command(AdminOpcode.ASYNC_EVENT_REQUEST, 0);
    host.submit(host.admin, request);
    MemorySegment abort = host.command(AdminOpcode.ABORT, 0);
    AbortCommandLayout.COMMAND_ID.set(abort, 0, SqeLayout.COMMAND_ID.get(request, 0));
    expected.add(SqeLayout.COMMAND_ID.get(request, 0));
    expected.add(SqeLayout.COMMAND_ID.get(abort, 0));
    host.put(host.admin, abort);
    // As many as the queue has room for, of which the abort has two entries.
    for (int i = 1; i < host.admin.entries - 1; i++) {
      MemorySegment command = host.command(AdminOpcode.KEEP_ALIVE, 0);
      expected.add(SqeLayout.COMMAND_ID.get(command, 0));
      host.put(host.admin, command);
    }
    host.ringTail(host.admin);
    host.run();
    List<Integer> found = new ArrayList<>(host.reap(host.admin).stream().map(Cqe::commandId).toList());
    assertThat(found).hasSize(host.admin.entries - 1);
    found.addAll(host.reap(host.admin).stream().map(Cqe::commandId).toList());
    assertThat(found).isEqualTo(expected);
    assertThat(host.model.violations()).isEmpty();
  }
}
