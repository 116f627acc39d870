package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.tck.ProbeDevice;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Several threads map peer memory and let the device write it, while the tree changes under them and the memory is taken back and published again.
 *
 * <p>The device goes on writing where its memory is taken back: its owner uses it again at once, and so does somebody else the mapper.
 */
class PeerStormTest {
  private static final int PAGE = Rig.PAGE;
  private static final int THREADS = 3;
  private static final int ROUNDS = 12;

  /** How often the device writes what it was given once. */
  private static final int WRITES = 8;

  /** What a request may be refused with: its memory was taken back or is being published again, or the way to it changed while it was mapped. */
  private static final Set<Reason> FATE = Set.of(Reason.REVOKED, Reason.NOT_BACKED, Reason.PEER_UNREACHABLE);

  /** A thread's own page: what the device writes there arrives there or nowhere. */
  private static final class Mapper implements Runnable {
    final Rig rig;
    final AtomicReference<PeerMemory> memory;
    final int page;
    final AtomicReference<Throwable> failure;
    final AtomicInteger arrived = new AtomicInteger();
    final AtomicInteger refused = new AtomicInteger();
    volatile boolean over;

    Mapper(Rig rig, AtomicReference<PeerMemory> memory, int page, AtomicReference<Throwable> failure) {
      this.rig = rig;
      this.memory = memory;
      this.page = page;
      this.failure = failure;
    }

    @Override
    public void run() {
      try (DmaTransfer transfer = rig.mapper.newTransfer()) {
        for (int n = 0; !over; n++) {
          Entries entries = new Entries();
          PeerMemory mapped = memory.get();
          try {
            transfer.map(TestRanges.of(mapped.phys() + (long) page * PAGE, PAGE), BIDIRECTIONAL, NONE, entries);
          } catch (DmaMappingException e) {
            assertThat(e.reason()).as(e.getMessage()).isIn(FATE);
            refused.incrementAndGet();
            continue;
          }
          byte[] bytes = new byte[16];
          Arrays.fill(bytes, (byte) (n | 1));
          for (int i = 0; i < WRITES && rig.device.tryWrite(entries.address(0) + 8, bytes); i++) {
            byte[] found = rig.near.memory((long) page * PAGE + 8, bytes.length);
            // The owner writes its memory only after it has taken it back, and so must be seen.
            VarHandle.acquireFence();
            if (!mapped.isRevoked()) {
              assertThat(found).as("page %d, round %d", page, n).containsExactly(bytes);
              arrived.incrementAndGet();
            }
          }
          for (int i = 0; i < WRITES; i++) {
            rig.device.tryWrite(entries.address(0) + 8, bytes);
          }
          transfer.unmap();
        }
      } catch (RuntimeException | AssertionError e) {
        failure.compareAndSet(null, e);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = Kind.class, names = {"IOMMU", "IOMMU_LAZY", "DIRECT", "UNTRUSTED"})
  @Tag("may-break:device-used-unknown-address+device-used-unmapped+freed-memory+not-memory")
  void whatTheDeviceWritesArrivesInItsOwnPageOrNowhere(Kind kind) throws InterruptedException, ExecutionException {
    try (Rig rig = new Rig(kind, DeviceLimits.UNLIMITED, "iotlb", "normal", "time", "real")) {
      AtomicReference<PeerMemory> memory = new AtomicReference<>(rig.nearMemory);
      AtomicReference<Throwable> failure = new AtomicReference<>();
      byte[] before = rig.near.memory(0, Rig.PEER_BYTES);
      List<Mapper> mappers = new ArrayList<>();
      List<Thread> threads = new ArrayList<>();
      for (int t = 0; t < THREADS; t++) {
        mappers.add(new Mapper(rig, memory, 1 + 2 * t, failure));
        threads.add(new Thread(mappers.getLast()));
      }
      threads.forEach(Thread::start);
      for (int round = 0; round < ROUNDS; round++) {
        int seen = arrived(mappers);
        while (arrived(mappers) < seen + THREADS && failure.get() == null) {
          Thread.onSpinWait();
        }
        PeerMemory old = memory.get();
        if (round % 3 == 2) {
          old.revoke(Rig.PATIENCE_NANOS).toCompletableFuture().get();
          assertThat(old.pins()).isZero();
          before = useAgain(rig, Rig.pattern(Rig.PEER_BYTES, round), mappers, failure);
          old.close();
          memory.set(PeerMemory.publish(rig.seen, old.provider(), ProbeDevice.MEMORY_BAR, 0, Rig.PEER_BYTES));
        }
        rig.machine.accessControl("0000:02:01.0", round % 2 == 0 ? "rr+cr" : "none");
      }
      mappers.forEach(mapper -> mapper.over = true);
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(failure.get()).isNull();
      byte[] after = rig.near.memory(0, Rig.PEER_BYTES);
      for (Mapper mapper : mappers) {
        System.arraycopy(after, mapper.page * PAGE + 8, before, mapper.page * PAGE + 8, 16);
      }
      assertThat(Arrays.mismatch(after, before)).as("first byte that no thread named").isEqualTo(-1);
      memory.get().close();
    }
  }

  /** Use memory that was taken back, and map other memory, until every thread has noticed; returns what the device must have left alone. */
  private static byte[] useAgain(Rig rig, byte[] bytes, List<Mapper> mappers, AtomicReference<Throwable> failure) {
    MemoryBlock block = rig.allocate(PAGE);
    try (DmaMapping other = rig.mapper.map(block.phys(0), PAGE, BIDIRECTIONAL, NONE)) {
      rig.near.put(0, bytes);
      for (Mapper mapper : mappers) {
        int seen = mapper.refused.get();
        while (mapper.refused.get() == seen && failure.get() == null) {
          Thread.onSpinWait();
        }
      }
      assertThat(Rig.bytesOf(block, 0, PAGE)).as("who was given 0x%x", other.dmaAddress()).containsOnly(0);
      assertThat(Arrays.mismatch(rig.near.memory(0, bytes.length), bytes)).as("first byte written after the memory was taken back").isEqualTo(-1);
    }
    return bytes;
  }

  private static int arrived(List<Mapper> mappers) {
    return mappers.stream().mapToInt(mapper -> mapper.arrived.get()).sum();
  }
}
