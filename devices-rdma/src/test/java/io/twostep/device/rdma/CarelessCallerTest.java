package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.TwoHosts.Host;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.PinBudget;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.Timers;
import io.twostep.tck.ForwardingTimers;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Callers who let go of things at the wrong time, and peers who ask for what is not theirs: nobody reaches memory that was given back. */
class CarelessCallerTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ | AccessFlags.REMOTE_ATOMIC;
  private static final Connection SMALL = new Connection(1024, 8, 7, 7, 1, 4);
  private static final long NEAR = 0x10_0000_0000L;
  private static final long FAR = 0x7f_1234_5000L;
  private static final int PAGE = 4096;
  private static final int SIZE = 16 * PAGE;
  private static final int REQUESTS = 16;

  private static byte[] bytes(MemoryBlock block) {
    return block.segment().toArray(ValueLayout.JAVA_BYTE);
  }

  /** Let both hosts work until some of what is written has arrived. */
  private static void untilBytesArrive(TwoHosts hosts, MemoryBlock at, byte[] before) {
    for (int round = 0; at.segment().mismatch(MemorySegment.ofArray(before)) < 0; round++) {
      assertThat(round).isLessThan(10_000);
      hosts.near.work();
      hosts.far.work();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"remote key", "local key", "memory", "queue pair"})
  void nothingMovesAnyMoreOnceWhatATransferNeedsIsClosedInTheMiddleOfIt(String closed) {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryBlock near = hosts.near.memory(SIZE);
      MemoryBlock far = hosts.far.memory(SIZE);
      near.segment().fill((byte) 7);
      byte[] before = bytes(far);
      MemoryKey nearKey = hosts.near.register(near, NEAR, ALL);
      PinnedKey farKey = (PinnedKey) hosts.far.register(far, FAR, ALL);
      for (int i = 0; i < REQUESTS; i++) {
        hosts.near.pair().postWrite(i, nearKey, NEAR, SIZE, farKey.key(), FAR);
      }
      untilBytesArrive(hosts, far, before);
      switch (closed) {
        case "remote key" -> farKey.close();
        case "local key" -> nearKey.close();
        case "memory" -> farKey.umem().close();
        default -> hosts.far.pair().close();
      }
      near.segment().fill((byte) 9);
      if (!closed.equals("local key")) {
        far.segment().fill((byte) 5);
      }
      hosts.await(hosts.near, REQUESTS);
      if (closed.equals("local key")) {
        assertThat(bytes(far)).as("what was put there after its key was closed is not gathered").doesNotContain(9);
      } else {
        assertThat(bytes(far)).as("memory that was given back").containsOnly(5);
      }
      CompletionStatus expected =
          switch (closed) {
            case "local key" -> CompletionStatus.LOCAL_PROTECTION;
            case "queue pair" -> CompletionStatus.RETRY_EXCEEDED;
            default -> CompletionStatus.REMOTE_ACCESS;
          };
      List<CompletionStatus> ended = hosts.near.done.stream().map(Done::status).dropWhile(status -> status == CompletionStatus.SUCCESS).toList();
      assertThat(ended.getFirst()).isEqualTo(expected);
      assertThat(ended.subList(1, ended.size())).isNotEmpty().containsOnly(CompletionStatus.FLUSHED);
    }
  }

  /** Kinds of keys that several threads may close. */
  private enum Shared {
    ON_DEMAND {
      @Override
      MemoryKey make(Host host, OnDemandSource source, long va, MemoryKey other) {
        return host.hca().registerOnDemand(host.domain(), source, va, SIZE, ALL);
      }
    },
    WHOLE_PROCESS {
      @Override
      MemoryKey make(Host host, OnDemandSource source, long va, MemoryKey other) {
        return host.hca().registerAll(host.domain(), source, ALL);
      }
    },
    PIECES {
      @Override
      MemoryKey make(Host host, OnDemandSource source, long va, MemoryKey other) {
        return host.hca().registerPieces(host.domain(), 0, new DataSegments().add(other, NEAR, PAGE), ALL);
      }
    };

    abstract MemoryKey make(Host host, OnDemandSource source, long va, MemoryKey other);
  }

  @ParameterizedTest
  @EnumSource(Shared.class)
  void keyThatTwoThreadsCloseIsGivenBackOnce(Shared kind) throws InterruptedException {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        FramePool frames = new FramePool(hosts.near.machine.memory(), MemoryPlacement.SCATTERED, 16L << 20);
        ProcessMemory process = new ProcessMemory("p", frames)) {
      Hca hca = hosts.near.hca();
      long va = process.map(SIZE, true);
      MemoryKey other = hosts.near.register(hosts.near.memory(PAGE), NEAR, ALL);
      MemoryKey key = kind.make(hosts.near, new OnDemandSource(hosts.near.mapper(), process, hosts.near.machine.timers()), va, other);
      int waiting = hca.keys().waiting();
      List<Thread> closers = List.of(new Thread(key::close, "first"), new Thread(key::close, "second"));
      // Whoever fills the buffer of changes keeps all others waiting until both have come.
      hca.updates()
          .load(
              other.key(),
              KeyShape.of(MkeyLayout.MODE_TABLE, false, 1),
              0,
              1,
              word -> {
                closers.forEach(Thread::start);
                while (closers.stream().anyMatch(closer -> closer.getState() == Thread.State.RUNNABLE)) {
                  Thread.onSpinWait();
                }
                return 0;
              });
      for (Thread closer : closers) {
        closer.join();
      }
      assertThat(hca.keys().waiting()).isEqualTo(waiting + 1);
    }
  }

  @Test
  void handlerThatThrowsFailsItsOwnRequestAndKeepsNobodyElseWaiting() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      PageFaultHandler broken =
          (address, demanded, length, write) -> {
            throw new UnsupportedOperationException("broken");
          };
      try (OnDemandKey key = hosts.far.hca().registerOnDemand(hosts.far.domain(), FAR, SIZE, ALL, broken)) {
        hosts.near.pair().postWrite(1, nearKey, NEAR, 8, key.key(), FAR);
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(() -> hosts.await(hosts.near, 1)).withMessage("broken");
        hosts.await(hosts.near, 1);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_OPERATION);
      }
    }
  }

  @Test
  void closedQueuesTakeAndGiveNothing() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      Hca hca = hosts.near.hca();
      CompletionQueue queue = hca.newCompletionQueue(4);
      QueuePair pair = hca.newQueuePair(hosts.near.domain(), queue, queue, 2);
      MemoryKey key = hosts.near.register(hosts.near.memory(PAGE), NEAR, ALL);
      assertThatExceptionOfType(HcaException.class).as("in use").isThrownBy(queue::close);
      pair.close();
      assertThatIllegalStateException().isThrownBy(() -> pair.postSend(1, key, NEAR, 8)).withMessageContaining("closed");
      assertThatIllegalStateException().isThrownBy(() -> pair.postReceive(1, key, NEAR, 8)).withMessageContaining("closed");
      assertThatIllegalStateException().isThrownBy(() -> pair.postFetchAdd(1, key, NEAR, 1, 0, 1)).withMessageContaining("closed");
      queue.close();
      assertThatIllegalStateException().isThrownBy(() -> queue.poll(1, (from, id, receive, status, extra, length) -> {})).withMessageContaining("closed");
    }
  }

  @Test
  void queuesThatWereClosedWhileFullAreNotTakenForFullNorTheirNumbersForTheirs() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, QueuePair.REGISTER_SEGMENTS)) {
      Hca hca = hosts.near.hca();
      CompletionQueue queue = hca.newCompletionQueue(4);
      QueuePair pair = hca.newQueuePair(hosts.near.domain(), queue, queue, 2, QueuePair.REGISTER_SEGMENTS);
      MemoryKey key = hosts.near.register(hosts.near.memory(PAGE), NEAR, ALL);
      while (pair.room() > 0) {
        assertThat(pair.postSend(1, key, NEAR, 8)).isTrue();
      }
      pair.close();
      assertThatIllegalStateException().isThrownBy(() -> pair.postSend(1, key, NEAR, 8)).withMessageContaining("closed");
      assertThatIllegalStateException().isThrownBy(() -> pair.postFetchAdd(1, key, NEAR, 1, 0, 1)).withMessageContaining("closed");
      try (FastKey fast = hca.newFastKey(hosts.near.domain(), 1)) {
        int name = fast.key();
        assertThatIllegalStateException().isThrownBy(() -> pair.postRegister(1, fast, NEAR, PAGE, ALL, 0)).withMessageContaining("closed");
        assertThat(fast.key()).as("nothing was posted that gives it another name").isEqualTo(name);
        assertThatIllegalStateException().isThrownBy(() -> pair.postInvalidate(1, fast, 0)).withMessageContaining("closed");
      }
      assertThatIllegalStateException().isThrownBy(() -> pair.connect(hosts.far.pair().number(), 0, 0, SMALL)).withMessageContaining("closed");
      assertThatIllegalStateException().isThrownBy(pair::fail).withMessageContaining("closed");
      queue.close();
      assertThatIllegalStateException().isThrownBy(() -> hca.newQueuePair(hosts.near.domain(), queue, queue, 2)).withMessageContaining("closed");
    }
  }

  @Test
  void pinnedMemoryThatIsClosedBehindItsKeysBackClosesTheKeyFirst() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        FramePool frames = new FramePool(hosts.far.machine.memory(), MemoryPlacement.SCATTERED, 16L << 20);
        ProcessMemory process = new ProcessMemory("p", frames)) {
      hosts.connect(SMALL);
      long va = process.map(SIZE, true);
      PinBudget budget = new PinBudget(1 << 20);
      PinnedKey key = hosts.far.hca().register(hosts.far.domain(), process, va, SIZE, ALL, budget);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      byte[] forked = new byte[SIZE];
      try (ProcessMemory child = process.fork()) {
        hosts.near.pair().postWrite(1, nearKey, NEAR, SIZE, key.key(), va);
        hosts.await(hosts.near, 1);
        child.read(va, MemorySegment.ofArray(forked), 0, SIZE);
        assertThat(forked).as("a child sees nothing of what a device writes to pinned pages after the fork").containsOnly(0);
      }
      process.read(va, MemorySegment.ofArray(forked), 0, SIZE);
      assertThat(forked[SIZE - 1]).isEqualTo(bytesOf(hosts)[SIZE - 1]);
      key.umem().close();
      assertThat(key.isClosed()).isTrue();
      assertThat(budget.used()).isZero();
      hosts.near.pair().postWrite(2, nearKey, NEAR, 8, key.key(), va);
      hosts.await(hosts.near, 2);
      assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.SUCCESS, CompletionStatus.REMOTE_ACCESS);
      key.close();
    }
  }

  private static byte[] bytesOf(TwoHosts hosts) {
    return bytes((MemoryBlock) hosts.near.opened.getLast());
  }

  @Test
  void atomicThatPiecesOfKeysPutOffItsAlignmentFailsAndMovesNothing() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      byte[] before = bytes(far);
      MemoryKey farKey = hosts.far.register(far, FAR, ALL);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      try (MemoryKey shifted = hosts.far.hca().registerPieces(hosts.far.domain(), 0, new DataSegments().add(farKey, FAR + 3, PAGE), ALL)) {
        hosts.near.pair().postFetchAdd(1, nearKey, NEAR, shifted.key(), 64, 1);
        hosts.await(hosts.near, 1);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_OPERATION);
        assertThat(bytes(far)).isEqualTo(before);
      }
    }
  }

  @Test
  void peerThatMayInvalidateAWholeProcessTakesNoPieceOutOfIt() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        FramePool frames = new FramePool(hosts.far.machine.memory(), MemoryPlacement.SCATTERED, 16L << 20);
        ProcessMemory process = new ProcessMemory("p", frames)) {
      hosts.connect(SMALL);
      long va = process.map(SIZE, true);
      OnDemandSource source = new OnDemandSource(hosts.far.mapper(), process, hosts.far.machine.timers());
      try (ImplicitMemory whole = hosts.far.hca().registerAll(hosts.far.domain(), source, ALL | AccessFlags.REMOTE_INVALIDATE)) {
        MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
        MemoryKey inbox = hosts.far.register(hosts.far.memory(PAGE), FAR, ALL);
        hosts.near.pair().postWrite(1, nearKey, NEAR, 8, whole.key(), va);
        hosts.await(hosts.near, 1);
        assertThat(whole.umem().pieces()).isEqualTo(1);
        hosts.far.pair().postReceive(7, inbox, FAR, 8);
        // Keys are given out one after the other: that of the piece is near those of the whole and of the inbox.
        for (int index = 1; index < 8 && hosts.near.done.getLast().status() == CompletionStatus.SUCCESS; index++) {
          int guess = inbox.key() + (index << 8);
          if (guess != whole.key()) {
            hosts.near.pair().postSendInvalidate(2, nearKey, NEAR, 8, guess);
            hosts.await(hosts.near, 2);
          }
        }
        assertThat(hosts.near.done.getLast().status()).as("nothing that was guessed could be invalidated").isEqualTo(CompletionStatus.REMOTE_ACCESS);
        assertThat(whole.umem().linkedPages()).isEqualTo(1);
      }
    }
  }

  @Test
  void peerThatGuessesAKeyBeforeItsMemoryIsRegisteredFailsAloneAndStopsNobody() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        FramePool frames = new FramePool(hosts.far.machine.memory(), MemoryPlacement.SCATTERED, 16L << 20);
        ProcessMemory process = new ProcessMemory("p", frames)) {
      hosts.connect(SMALL);
      long va = process.map(SIZE, true);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      // Keys are given out one after the other.
      int guess = hosts.far.register(hosts.far.memory(PAGE), FAR, ALL).key() + (1 << 8);
      Timers meddling =
          new ForwardingTimers(hosts.far.machine.timers()) {
            @Override
            public long nanoTime() {
              // Asked for when the first pages are looked at.
              if (hosts.near.done.isEmpty()) {
                hosts.near.pair().postWrite(1, nearKey, NEAR, 8, guess, va);
                hosts.await(hosts.near, 1);
              }
              return super.nanoTime();
            }
          };
      try (MemoryKey key = hosts.far.hca().registerOnDemand(hosts.far.domain(), new OnDemandSource(hosts.far.mapper(), process, meddling), va, SIZE, ALL)) {
        assertThat(key.key()).isEqualTo(guess);
        assertThat(hosts.far.faults).isEqualTo(1);
        assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_OPERATION);
      }
    }
  }

  @Test
  void queuePairsThatCouldFillTheEventQueueWithFaultsAreRefused() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, 2, new HcaConfig(64, 60_000_000_000L, 64 << 10, 8, 60_000_000_000L, 0))) {
      Hca hca = hosts.near.hca();
      List<QueuePair> pairs = new ArrayList<>();
      // The host's is there already.
      try (CompletionQueue queue = hca.newCompletionQueue(256)) {
        for (int i = 0; i < 31; i++) {
          pairs.add(hca.newQueuePair(hosts.near.domain(), queue, queue, 2));
        }
        assertThatExceptionOfType(HcaException.class)
            .isThrownBy(() -> hca.newQueuePair(hosts.near.domain(), queue, queue, 2))
            .withMessageContaining("32 queue pairs")
            .withMessageContaining("event-entries");
        pairs.removeLast().close();
        pairs.add(hca.newQueuePair(hosts.near.domain(), queue, queue, 2));
        pairs.forEach(QueuePair::close);
      }
    }
  }

  @Test
  void keyOfMoreEntriesThanAnAdapterCanBeAskedForIsRefusedWithTheRule() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      Hca hca = hosts.near.hca();
      long made = hca.keys().made();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> hca.registerOnDemand(hosts.near.domain(), 0, (1L << 44) + 1, ALL, (address, demanded, length, write) -> false))
          .withMessageContaining("0000:01:00.0")
          .withMessageContaining("4294967297 translation entries");
      assertThat(hca.keys().made()).isEqualTo(made);
    }
  }

  @Test
  void closedQueuePairsKeepTheirRoomInTheEventQueueUntilTheirFaultsAreServed() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, 2, new HcaConfig(64, 60_000_000_000L, 64 << 10, 8, 60_000_000_000L, 0))) {
      Hca hca = hosts.near.hca();
      try (MemoryKey absent = hca.registerOnDemand(hosts.near.domain(), NEAR, SIZE, ALL, (address, demanded, length, write) -> false);
          CompletionQueue queue = hca.newCompletionQueue(256)) {
        for (int i = 0; i < 31; i++) {
          meetAbsentPage(hosts, queue, absent).close();
        }
        assertThatExceptionOfType(HcaException.class)
            .isThrownBy(() -> hca.newQueuePair(hosts.near.domain(), queue, queue, 2))
            .withMessageContaining("serve the faults of those that are closed");
        // The driver's own queue pair is made anew when a change is refused, whatever waits.
        int nobodys = 0x100;
        hca.updates().load(nobodys, KeyShape.of(MkeyLayout.MODE_TABLE, false, 1), 0, 1, word -> 0);
        assertThatExceptionOfType(HcaException.class).isThrownBy(() -> hca.updates().await(nobodys)).withMessageContaining("refused");
        assertThat(hca.serviceFaults()).isEqualTo(31);
        for (int i = 0; i < 31; i++) {
          QueuePair pair = meetAbsentPage(hosts, queue, absent);
          assertThat(hca.serviceFaults()).isEqualTo(1);
          pair.close();
        }
      }
    }
  }

  /** Return a queue pair whose request has met a page that is not there, and waits. */
  private static QueuePair meetAbsentPage(TwoHosts hosts, CompletionQueue queue, MemoryKey absent) {
    QueuePair pair = hosts.near.hca().newQueuePair(hosts.near.domain(), queue, queue, 2);
    pair.connect(hosts.far.pair().number(), 5, 5, SMALL);
    pair.postWrite(1, absent, NEAR, PAGE, 0, FAR);
    hosts.near.machine.timers().pause();
    return pair;
  }

  @ParameterizedTest
  @CsvSource({
    "300, 14, 7, 7, 12, 16, mtu 300",
    "8192, 14, 7, 7, 12, 16, mtu 8192",
    "4096, 52, 7, 7, 12, 16, timeout 52",
    "4096, -1, 7, 7, 12, 16, timeout -1",
    "4096, 14, 263, 6, 12, 16, retries 263",
    "4096, 14, 7, 8, 12, 16, RNR retries 8",
    "4096, 14, 7, 7, 32, 16, RNR timer 32",
    "4096, 14, 7, 7, 12, 257, reads 257",
    "4096, 14, 7, 7, 12, 0, reads 0"
  })
  void connectionThatIsNoneIsRefusedWhereItIsMade(int mtu, int timeout, int retries, int rnrRetries, int rnrTimer, int reads, String what) {
    assertThatIllegalArgumentException().isThrownBy(() -> new Connection(mtu, timeout, retries, rnrRetries, rnrTimer, reads)).withMessageContaining(what + " ");
  }
}
