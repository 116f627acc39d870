package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.twostep.device.rdma.TwoHosts.Host;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.ModelMachine;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Keys that are closed while others use or close them, and whose adapter does not always obey: an adapter's key is another's once it was given back. */
class ClosedKeysTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final long VA = 0x10_0000_0000L;
  private static final int PAGE = 4096;
  private static final int SIZE = 16 * PAGE;

  /** A call on a thread of its own, and what became of it. */
  private static final class Caller {
    final CompletableFuture<Void> outcome = new CompletableFuture<>();
    final Thread thread;

    Caller(Runnable call) {
      thread =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      call.run();
                      outcome.complete(null);
                    } catch (Throwable e) {
                      outcome.completeExceptionally(e);
                    }
                  });
    }

    /** Return once it waits for a lock of the driver's, or has ended. */
    Caller waits() {
      while (thread.isAlive() && LockSupport.getBlocker(thread) == null && thread.getState() != Thread.State.BLOCKED) {
        Thread.onSpinWait();
      }
      return this;
    }
  }

  /** Have the adapter refuse the next change: it cannot read the request, the second of what it reads for one. */
  private static void refuseNextChange(Host host) {
    ((ModelMachine) host.machine).failNth().arm(FailNth.Kind.BUS_READ, 2);
  }

  @Test
  void regionWhoseKeyIsClosedAlreadyClosesWithoutTouchingWhoeverHasTheKeyByThen() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        FramePool frames = new FramePool(hosts.near.machine.memory(), MemoryPlacement.SCATTERED, 16L << 20);
        ProcessMemory process = new ProcessMemory("p", frames)) {
      Host host = hosts.near;
      Hca hca = host.hca();
      process.mapAt(VA, SIZE, true);
      OnDemandSource source = new OnDemandSource(host.mapper(), process, host.machine.timers());
      long mappings = host.mapper().liveMappings();
      OnDemandMemory memory = hca.registerOnDemand(host.domain(), source, VA, SIZE, ALL);
      int name = memory.key();
      memory.umem().fault(VA, SIZE, FaultMode.WRITE);
      refuseNextChange(host);
      process.swapOut(VA, SIZE);
      assertThat(memory.umem().linkedPages()).as("translation keeps the adapter out").isZero();
      refuseNextChange(host);
      assertThatExceptionOfType(HcaException.class).isThrownBy(memory::close).withMessageContaining("refused to change key");
      assertThat(host.mapper().liveMappings()).as("the window is held until closing succeeds").isEqualTo(mappings + 1);
      try (OnDemandMemory next = hca.registerOnDemand(host.domain(), source, VA, SIZE, ALL)) {
        assertThat(next.key() ^ name).as("the same key under another low byte").isBetween(1, 0xff);
        assertThat(memory.key()).as("a closed key goes on naming nothing").isEqualTo(name);
        next.umem().fault(VA, SIZE, FaultMode.WRITE);
        long changes = hca.updates().posted();
        memory.close();
        assertThat(hca.updates().posted()).as("changes of a key that is another's").isEqualTo(changes);
        assertThat(host.mapper().liveMappings()).isEqualTo(mappings + 1);
      }
      memory.close();
      assertThat(host.mapper().liveMappings()).isEqualTo(mappings);
    }
  }

  @Test
  void entriesSetWhileTheKeyIsBeingClosedAreRefusedAndNotWrittenIntoTheNextOnes() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      Hca hca = hosts.near.hca();
      OnDemandKey key = hca.registerOnDemand(hosts.near.domain(), VA, SIZE, ALL, (address, demanded, length, write) -> false);
      MemoryKey other = hosts.near.register(hosts.near.memory(PAGE), VA, ALL);
      Caller[] callers = new Caller[2];
      // Whoever fills the buffer of changes keeps all others waiting.
      hca.updates()
          .load(
              other.key(),
              KeyShape.of(MkeyLayout.MODE_TABLE, false, 1),
              0,
              1,
              word -> {
                callers[0] = new Caller(key::close).waits();
                callers[1] = new Caller(() -> key.set(0, PAGE, 0x1000, DmaDirection.BIDIRECTIONAL)).waits();
                return 0;
              });
      assertThatCode(callers[0].outcome::join).doesNotThrowAnyException();
      assertThatExceptionOfType(RuntimeException.class)
          .isThrownBy(callers[1].outcome::join)
          .havingCause()
          .isInstanceOf(IllegalStateException.class)
          .withMessageContaining("key 0x%x is closed", key.key());
    }
  }

  @Test
  void localKeyThatTwoThreadsCloseIsDestroyedOnce() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      Hca hca = hosts.near.hca();
      LocalDmaKey key = hca.newLocalKey(hosts.near.domain());
      List<Caller> closers = new ArrayList<>();
      // Whoever fills in a command keeps all others waiting.
      hca.commands()
          .execute(
              CommandLayout.OP_NOP,
              input -> {
                closers.add(new Caller(key::close).waits());
                closers.add(new Caller(key::close).waits());
              });
      closers.forEach(closer -> assertThatCode(closer.outcome::join).doesNotThrowAnyException());
    }
  }

  @Test
  void closedKeysGoOnNamingNothingOnceOthersHaveTheirPlaces() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        FramePool frames = new FramePool(hosts.near.machine.memory(), MemoryPlacement.SCATTERED, 16L << 20);
        ProcessMemory process = new ProcessMemory("p", frames)) {
      Hca hca = hosts.near.hca();
      ProtectionDomain domain = hosts.near.domain();
      process.mapAt(VA, SIZE, true);
      OnDemandSource source = new OnDemandSource(hosts.near.mapper(), process, hosts.near.machine.timers());
      MemoryBlock block = hosts.near.memory(PAGE);
      MemoryKey base = hosts.near.register(block, VA, ALL);
      List<Supplier<MemoryKey>> kinds =
          List.of(
              () -> hca.register(domain, VA, hosts.near.ranges(block), ALL),
              () -> hca.registerOnDemand(domain, source, VA, SIZE, ALL),
              () -> hca.registerAll(domain, source, ALL),
              () -> hca.registerPieces(domain, 0, new DataSegments().add(base, VA, PAGE), ALL),
              () -> hca.newFastKey(domain, 1));
      for (Supplier<MemoryKey> kind : kinds) {
        MemoryKey closed = kind.get();
        int name = closed.key();
        closed.close();
        try (MemoryKey next = kind.get()) {
          assertThat(next.key() >>> 8).as("%s: the place is used again", next).isEqualTo(name >>> 8);
          assertThat(closed.key()).as("%s", closed).isEqualTo(name);
        }
      }
    }
  }

  @Test
  void fastKeyIsNotAnothersWhileARequestAboutItIsPosted() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, QueuePair.REGISTER_SEGMENTS)) {
      QueuePair pair = hosts.near.pair();
      FastKey key = hosts.near.hca().newFastKey(hosts.near.domain(), 1);
      // The queue pair is not connected yet, and executes nothing.
      assertThat(pair.postRegister(1, key, VA, PAGE, ALL, 0)).isTrue();
      assertThatIllegalStateException().isThrownBy(key::close).withMessageContaining("0x%x".formatted(key.key())).withMessageContaining("queue pair " + pair.number());
      hosts.connect(Connection.DEFAULT);
      pair.postInvalidate(2, key, 0);
      hosts.await(hosts.near, 2);
      assertThatCode(key::close).doesNotThrowAnyException();
    }
  }

  @Test
  void fastKeyWhoseQueuePairIsClosedIsClosedWhateverWasPosted() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, QueuePair.REGISTER_SEGMENTS);
        CompletionQueue queue = hosts.near.hca().newCompletionQueue(4)) {
      QueuePair other = hosts.near.hca().newQueuePair(hosts.near.domain(), queue, queue, 2, QueuePair.REGISTER_SEGMENTS);
      FastKey key = hosts.near.hca().newFastKey(hosts.near.domain(), 1);
      other.postRegister(1, key, VA, PAGE, ALL, 0);
      QueuePair pair = hosts.near.pair();
      assertThatIllegalStateException().isThrownBy(() -> pair.postInvalidate(1, key, 0)).withMessageContaining("queue pair " + other.number());
      other.close();
      assertThatCode(key::close).doesNotThrowAnyException();
    }
  }

  @Test
  void closedFastKeyIsNeitherRegisteredNorInvalidated() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, QueuePair.REGISTER_SEGMENTS)) {
      FastKey key = hosts.near.hca().newFastKey(hosts.near.domain(), 1);
      key.close();
      QueuePair pair = hosts.near.pair();
      assertThatIllegalStateException().isThrownBy(() -> pair.postRegister(1, key, VA, PAGE, ALL, 0)).withMessageContaining("is closed; make another");
      assertThatIllegalStateException().isThrownBy(() -> pair.postInvalidate(1, key, 0)).withMessageContaining("is closed; make another");
      assertThat(pair.room()).isEqualTo(TwoHosts.DEPTH);
    }
  }
}
