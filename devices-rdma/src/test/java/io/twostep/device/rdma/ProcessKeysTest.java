package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.TwoHosts.Host;
import io.twostep.device.rdma.mirror.FramePool;
import io.twostep.device.rdma.mirror.PinBudget;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.umem.OnDemandSource;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryPlacement;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Keys over processes of two hosts: data moves between them over a bad wire while pages are migrated, swapped out, shared, and unmapped between requests. */
class ProcessKeysTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final WireFaults BAD = new WireFaults(0.02, 0.02, 0.03, 0.01, 0.01);
  private static final Connection SMALL = new Connection(1024, 10, 7, 7, 1, 4);
  private static final int PAGE = 4096;
  private static final int PAGES = 24;
  private static final int SIZE = PAGES * PAGE;
  private static final String SEED = "-Dtwostep.seed=" + Seeds.SEED;

  private enum Kind {
    PINNED,
    RANGE,
    WHOLE
  }

  /** A process on a host, and the key that its adapter knows it by. */
  private static final class Side implements AutoCloseable {
    final Host host;
    final FramePool frames;
    final ProcessMemory process;
    final long va;
    final byte[] model = new byte[SIZE];
    MemoryKey key;

    Side(Host host, Kind kind) {
      this.host = host;
      frames = new FramePool(host.machine.memory(), MemoryPlacement.SCATTERED, 32L << 20);
      process = new ProcessMemory("p", frames);
      va = process.map(SIZE, true);
      new SplittableRandom(Seeds.SEED + kind.ordinal()).nextBytes(model);
      process.write(va, MemorySegment.ofArray(model), 0, SIZE);
      key = register(kind);
    }

    MemoryKey register(Kind kind) {
      OnDemandSource source = new OnDemandSource(host.mapper(), process, host.machine.timers());
      return switch (kind) {
        case PINNED -> host.hca().register(host.domain(), process, va, SIZE, ALL, PinBudget.unlimited());
        case RANGE -> host.hca().registerOnDemand(host.domain(), source, va, SIZE, ALL);
        case WHOLE -> host.hca().registerAll(host.domain(), source, ALL);
      };
    }

    /** Do something to some pages that leaves their contents alone. */
    void disturb(SplittableRandom random) {
      long from = va + (long) random.nextInt(PAGES) * PAGE;
      long length = Math.min(va + SIZE - from, (1L + random.nextInt(8)) * PAGE);
      switch (random.nextInt(3)) {
        case 0 -> process.migrate(from, length);
        case 1 -> process.swapOut(from, length);
        default -> {
          try (ProcessMemory child = process.fork()) {
            child.write(from, MemorySegment.ofArray(new byte[10]), 0, 10);
          }
        }
      }
    }

    byte[] bytes() {
      byte[] seen = new byte[SIZE];
      process.read(va, MemorySegment.ofArray(seen), 0, SIZE);
      return seen;
    }

    @Override
    public void close() {
      key.close();
      process.close();
      frames.close();
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void bytesAreRightWhateverHappensToPagesBetweenRequests(Kind kind) {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    try (TwoHosts hosts = new TwoHosts(BAD);
        Side near = new Side(hosts.near, kind);
        Side far = new Side(hosts.far, kind)) {
      hosts.connect(SMALL);
      for (int i = 0; i < 30; i++) {
        int length = 1 + random.nextInt(3 * PAGE);
        int from = random.nextInt(SIZE - length);
        int to = random.nextInt(SIZE - length);
        if (random.nextBoolean()) {
          hosts.near.pair().postWrite(i, near.key, near.va + from, length, far.key.key(), far.va + to);
          System.arraycopy(near.model, from, far.model, to, length);
        } else {
          hosts.near.pair().postRead(i, near.key, near.va + from, length, far.key.key(), far.va + to);
          System.arraycopy(far.model, to, near.model, from, length);
        }
        near.disturb(random);
        far.disturb(random);
        hosts.await(hosts.near, i + 1);
      }
      assertThat(hosts.near.done).extracting(Done::status).as(SEED).containsOnly(CompletionStatus.SUCCESS);
      assertThat(Arrays.mismatch(near.bytes(), near.model)).as(SEED).isEqualTo(-1);
      assertThat(Arrays.mismatch(far.bytes(), far.model)).as(SEED).isEqualTo(-1);
    }
  }

  @Test
  void requestForWhatTheProcessDoesNotMapFailsAndTheKeyGoesOnServingTheRest() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        Side near = new Side(hosts.near, Kind.RANGE);
        Side far = new Side(hosts.far, Kind.WHOLE)) {
      hosts.connect(SMALL);
      ImplicitMemory whole = (ImplicitMemory) far.key;
      hosts.near.pair().postWrite(1, near.key, near.va, 100, far.key.key(), far.va + 7);
      hosts.await(hosts.near, 1);
      assertThat(whole.umem().pieces()).isEqualTo(1);
      far.process.unmap(far.va, SIZE);
      assertThat(whole.umem().pieces()).as("given up with its last page").isZero();
      far.process.mapAt(far.va, SIZE, true);
      hosts.near.pair().postWrite(2, near.key, near.va, 100, far.key.key(), far.va + 7);
      hosts.near.pair().postWrite(3, near.key, near.va, 100, far.key.key(), far.va + (1L << 30));
      hosts.await(hosts.near, 3);
      assertThat(hosts.near.done)
          .extracting(Done::status)
          .containsExactly(CompletionStatus.SUCCESS, CompletionStatus.SUCCESS, CompletionStatus.REMOTE_OPERATION);
      assertThat(Arrays.copyOfRange(far.bytes(), 7, 107)).isEqualTo(Arrays.copyOf(near.model, 100));
    }
  }
}
