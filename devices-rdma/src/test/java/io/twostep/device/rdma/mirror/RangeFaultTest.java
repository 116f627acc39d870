package io.twostep.device.rdma.mirror;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.device.rdma.mirror.PageFaultException.Kind;
import io.twostep.dma.MemoryPlacement;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.tck.Allocation;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RangeFaultTest {
  private static final long PAGE = 4096;

  private final ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "256M")));
  private final FramePool pool = new FramePool(machine.memory(), MemoryPlacement.SCATTERED, 64L << 20);
  private final ProcessMemory process = new ProcessMemory("p", pool);
  private final long va = process.map(8 * PAGE, true);
  private final ReentrantLock lock = new ReentrantLock();

  @AfterEach
  void close() {
    process.close();
    pool.close();
    machine.close();
  }

  @Test
  void changeBetweenLookAndLockMakesTheLoopStartAgain() {
    List<PageRuns> committed = new ArrayList<>();
    boolean[] changed = new boolean[1];
    // The lock is taken between the look and the check: the moment to change something.
    ReentrantLock meddling = new ReentrantLock() {
      private static final long serialVersionUID = 1;

      @Override
      public void lock() {
        if (!changed[0]) {
          changed[0] = true;
          process.discard(va, PAGE);
        }
        super.lock();
      }
    };
    RangeFault faults = new RangeFault(process, machine.timers(), RangeFault.DEFAULT_LIMIT_NANOS);
    try (Subscription subscription = process.subscribe(va, 8 * PAGE, (start, length, reason) -> {})) {
      faults.run(subscription, va, 2 * PAGE, FaultMode.WRITE, meddling, committed::add);
    }
    assertThat(faults.retries()).isEqualTo(1);
    assertThat(committed).hasSize(1);
    assertThat(committed.getFirst().isWritable(0)).isTrue();
  }

  @Test
  void pagesThatNeverRestFailTheFaultAtTheDeadline() {
    ReentrantLock meddling = new ReentrantLock() {
      private static final long serialVersionUID = 1;

      @Override
      public void lock() {
        process.discard(va, PAGE);
        super.lock();
      }
    };
    RangeFault faults = new RangeFault(process, machine.timers(), 1_000_000);
    long start = machine.timers().nanoTime();
    try (Subscription subscription = process.subscribe(va, 8 * PAGE, (from, length, reason) -> {})) {
      PageFaultException late =
          catchThrowableOfType(
              PageFaultException.class,
              () -> faults.run(subscription, va, PAGE, FaultMode.READ, meddling, runs -> assertThat(runs).isNull()));
      assertThat(late.kind()).isEqualTo(Kind.DEADLINE);
      assertThat(machine.timers().nanoTime() - start).isGreaterThan(1_000_000);
    }
    assertThat(meddling.isLocked()).isFalse();
  }

  @Test
  void closedSubscriptionKeepsNobodyWaitingForAChangeThatWasUnderWay() {
    Subscription first = process.subscribe(va, PAGE, (from, length, reason) -> {});
    // Called after the other's, so that closing that one has nothing to wait for.
    try (Subscription second = process.subscribe(va, PAGE, (from, length, reason) -> first.close())) {
      long before = first.readBegin(machine.timers(), machine.timers().nanoTime());
      process.discard(va, PAGE);
      assertThat(first.readRetry(before)).isTrue();
      long after = first.readBegin(machine.timers(), machine.timers().nanoTime() - 1);
      assertThat(first.readRetry(after)).isFalse();
      assertThat(second.readRetry(second.readBegin(machine.timers(), machine.timers().nanoTime()))).isFalse();
    }
  }

  @Test
  void laterFaultsTakeNoHeapHoweverManyRunsTheySee() {
    int pages = 64;
    long many = process.map(pages * PAGE, true);
    // Every other page first: no two that lie side by side come from the pool one after the other.
    for (int i = 0; i < pages; i++) {
      long page = i < pages / 2 ? 2L * i : 2L * (i - pages / 2) + 1;
      process.write(many + page * PAGE, MemorySegment.ofArray(new byte[1]), 0, 1);
    }
    RangeFault faults = new RangeFault(process, machine.timers(), RangeFault.DEFAULT_LIMIT_NANOS);
    int[] fewest = {pages};
    RangeFault.Commit commit = runs -> fewest[0] = Math.min(fewest[0], runs.count());
    try (Subscription subscription = process.subscribe(many, pages * PAGE, (start, length, reason) -> {})) {
      assertThat(Allocation.leastBytesOf(() -> faults.run(subscription, many, pages * PAGE, FaultMode.WRITE, lock, commit))).isZero();
    }
    assertThat(fewest[0]).as("runs that each fault saw").isGreaterThan(pages / 4);
  }

  @Test
  void changesElsewhereDoNotDisturb() {
    try (Subscription subscription = process.subscribe(va, PAGE, (start, length, reason) -> {})) {
      long seen = subscription.readBegin(machine.timers(), Long.MAX_VALUE);
      process.discard(va + PAGE, 7 * PAGE);
      assertThat(subscription.readRetry(seen)).isFalse();
      process.discard(va, 8 * PAGE);
      assertThat(subscription.readRetry(seen)).isTrue();
    }
  }

  @Test
  void subscriberThatComesDuringChangeWaitsForItsEnd() {
    List<Boolean> disturbed = new ArrayList<>();
    List<Subscription> late = new ArrayList<>();
    try (Subscription first =
        process.subscribe(va, PAGE, (start, length, reason) -> late.add(process.subscribe(va, 8 * PAGE, (from, bytes, why) -> {})))) {
      process.discard(va, PAGE);
      disturbed.add(first.readRetry(first.readBegin(machine.timers(), Long.MAX_VALUE)));
    }
    assertThat(disturbed).containsExactly(false);
    assertThat(late).hasSize(1);
    assertThat(late.getFirst().readRetry(0)).as("the change is over").isFalse();
    late.getFirst().close();
    assertThat(process.statistics().subscriptions()).isZero();
  }

  @Test
  void everySubscriberThatARangeTouchesHearsOfItAndNoOther() {
    List<String> heard = new ArrayList<>();
    List<Subscription> all = new ArrayList<>();
    for (int start = 0; start < 8; start++) {
      for (int end = start + 1; end <= 8; end++) {
        String name = start + "-" + end;
        all.add(process.subscribe(va + start * PAGE, (end - start) * PAGE, (from, length, reason) -> heard.add(name)));
      }
    }
    for (int start = 0; start < 8; start++) {
      for (int end = start + 1; end <= 8; end++) {
        heard.clear();
        process.migrate(va + start * PAGE, (end - start) * PAGE);
        int from = start;
        int to = end;
        assertThat(heard).containsExactlyInAnyOrderElementsOf(
            all.stream()
                .filter(s -> s.start < va + to * PAGE && va + from * PAGE < s.end)
                .map(s -> (s.start - va) / PAGE + "-" + (s.end - va) / PAGE)
                .toList());
      }
    }
    all.forEach(Subscription::close);
  }

  @Test
  void pagesThatCannotBeHadSayWhy() {
    RangeFault faults = new RangeFault(process, machine.timers(), RangeFault.DEFAULT_LIMIT_NANOS);
    process.protect(va, PAGE, false);
    process.truncate(va + 2 * PAGE);
    try (Subscription subscription = process.subscribe(va, 8 * PAGE, (start, length, reason) -> {})) {
      assertThat(kindOf(faults, subscription, va)).isEqualTo(Kind.READ_ONLY);
      assertThat(kindOf(faults, subscription, va + 2 * PAGE)).isEqualTo(Kind.NO_BACKING);
      process.unmap(va + PAGE, PAGE);
      assertThat(kindOf(faults, subscription, va + PAGE)).isEqualTo(Kind.NOT_MAPPED);
    }
  }

  @Test
  void backingThatIsGivenAgainReadsAsZeros() {
    byte[] bytes = {1, 2, 3};
    process.write(va + 3 * PAGE, MemorySegment.ofArray(bytes), 0, bytes.length);
    process.truncate(va + 2 * PAGE);
    process.extend(va + PAGE);
    process.read(va + 3 * PAGE, MemorySegment.ofArray(bytes), 0, bytes.length);
    assertThat(bytes).containsOnly(0);
    assertThatIllegalArgumentException().isThrownBy(() -> process.extend(va + 8 * PAGE)).withMessageContaining("nothing is mapped at");
  }

  private Kind kindOf(RangeFault faults, Subscription subscription, long at) {
    return catchThrowableOfType(
            PageFaultException.class,
            () -> faults.run(subscription, at, PAGE, FaultMode.WRITE, lock, runs -> assertThat(runs).isNull()))
        .kind();
  }
}
