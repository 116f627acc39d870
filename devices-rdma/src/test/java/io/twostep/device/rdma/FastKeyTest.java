package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.TwoHosts.Host;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** Keys that work requests make valid and invalid. */
class FastKeyTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;
  private static final WireFaults BAD = new WireFaults(0.03, 0.03, 0.05, 0.01, 0.01);
  private static final Connection SMALL = new Connection(1024, 8, 7, 7, 1, 4);
  private static final long FAR = 0x7f_1234_5000L;
  private static final long START = 0x5000_0000_0000L;
  private static final int PAGES = 16;
  private static final String SEED = "-Dtwostep.seed=" + Seeds.SEED;

  /** Memory of a host that a fast key may be registered for. */
  private static final class Fast implements AutoCloseable {
    final Host host;
    final MemoryBlock memory;
    final DmaTransfer transfer;
    final FastKey key;

    Fast(Host host, int salt) {
      this.host = host;
      memory = HcaTest.random(host, salt);
      transfer = host.mapper().newTransfer();
      transfer.map(memory.ranges(), DmaDirection.BIDIRECTIONAL, 0, (dmaAddress, length, kind) -> true);
      key = host.hca().newFastKey(host.domain(), PAGES);
      for (int i = 0; i < PAGES; i++) {
        key.page(i, transfer.dmaAddress() + 4096L * i);
      }
    }

    boolean register(long id) {
      return host.pair().postRegister(id, key, START, memory.length(), ALL, 0);
    }

    byte[] bytes() {
      return memory.segment().toArray(ValueLayout.JAVA_BYTE);
    }

    @Override
    public void close() {
      key.close();
      transfer.close();
    }
  }

  @Test
  void peersReachWhatIsRegisteredUntilItIsInvalidatedAndNeverByAFormerKey() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, QueuePair.REGISTER_SEGMENTS);
        Fast far = new Fast(hosts.far, 1)) {
      hosts.connect(SMALL);
      MemoryBlock near = HcaTest.random(hosts.near, 2);
      MemoryKey nearKey = hosts.near.register(near, FAR, ALL);
      assertThat(far.register(1)).isTrue();
      int first = far.key.key();
      hosts.far.pair().postInvalidate(2, far.key, 0);
      far.register(3);
      hosts.await(hosts.far, 3);
      assertThat(hosts.far.done).extracting(Done::status).containsOnly(CompletionStatus.SUCCESS);
      assertThat(far.key.key()).isNotEqualTo(first);
      byte[] model = far.bytes();
      System.arraycopy(near.segment().toArray(ValueLayout.JAVA_BYTE), 0, model, 5, 9_000);
      hosts.near.pair().postWrite(1, nearKey, FAR, 9_000, far.key.key(), START + 5);
      hosts.near.pair().postWrite(2, nearKey, FAR, 9_000, first, START + 5);
      hosts.await(hosts.near, 2);
      assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.SUCCESS, CompletionStatus.REMOTE_ACCESS);
      assertThat(far.bytes()).isEqualTo(model);
    }
  }

  @Test
  void invalidatedKeyPermitsNothing() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, QueuePair.REGISTER_SEGMENTS);
        Fast far = new Fast(hosts.far, 1)) {
      hosts.connect(SMALL);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 2), FAR, ALL);
      byte[] before = far.bytes();
      far.register(1);
      hosts.far.pair().postInvalidate(2, far.key, 0);
      hosts.await(hosts.far, 2);
      hosts.near.pair().postWrite(1, nearKey, FAR, 100, far.key.key(), START);
      hosts.await(hosts.near, 1);
      assertThat(hosts.near.done).extracting(Done::status).containsExactly(CompletionStatus.REMOTE_ACCESS);
      assertThat(far.bytes()).isEqualTo(before);
    }
  }

  @Test
  void registeringAKeyThatIsValidFailsAndSoDoesChangingAnotherDomainsKey() {
    for (boolean otherDomain : new boolean[] {false, true}) {
      try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, QueuePair.REGISTER_SEGMENTS);
          ProtectionDomain other = hosts.near.hca().newDomain();
          FastKey key = hosts.near.hca().newFastKey(otherDomain ? other : hosts.near.domain(), 1)) {
        hosts.connect(SMALL);
        hosts.near.pair().postRegister(1, key, START, 4096, ALL, 0);
        hosts.near.pair().postRegister(2, key, START, 4096, ALL, 0);
        hosts.await(hosts.near, 2);
        assertThat(hosts.near.done)
            .extracting(Done::status)
            .containsExactly(
                otherDomain ? CompletionStatus.LOCAL_OPERATION : CompletionStatus.SUCCESS,
                otherDomain ? CompletionStatus.FLUSHED : CompletionStatus.LOCAL_OPERATION);
      }
    }
  }

  @Test
  void keysThatAreOnlyInvalidatedByTheirChainServeWhatIsSentAgainOnABadWire() {
    try (TwoHosts hosts = new TwoHosts(BAD, QueuePair.REGISTER_SEGMENTS);
        Fast near = new Fast(hosts.near, 1)) {
      hosts.connect(SMALL);
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      MemoryKey farKey = hosts.far.register(far, FAR, ALL);
      DataSegments data = new DataSegments();
      byte[] source = near.bytes();
      byte[] model = far.segment().toArray(ValueLayout.JAVA_BYTE);
      for (int round = 0; round < 20; round++) {
        hosts.near.pair().postRegister(0, near.key, START, near.memory.length(), ALL, QueuePair.SILENT);
        hosts.near.pair().postRead(0, data.clear().add(near.key, START + 31_000, 10_000), farKey.key(), FAR + 40_000 + 100L * round, QueuePair.SILENT);
        System.arraycopy(model, 40_000 + 100 * round, source, 31_000, 10_000);
        hosts.near.pair().postWrite(0, data.clear().add(near.key, START + 11, 20_000), farKey.key(), FAR + round, QueuePair.SILENT);
        System.arraycopy(source, 11, model, round, 20_000);
        hosts.near.pair().postInvalidate(round, near.key, 0);
        hosts.await(hosts.near, round + 1);
      }
      assertThat(hosts.near.done).extracting(Done::status).as(SEED).containsOnly(CompletionStatus.SUCCESS);
      assertThat(near.bytes()).as(SEED).isEqualTo(source);
      assertThat(far.segment().toArray(ValueLayout.JAVA_BYTE)).as(SEED).isEqualTo(model);
    }
  }

  @Test
  void whatDoesNotFitTheKeyOrTheQueuePairIsRefusedWithTheRemedy() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, QueuePair.REGISTER_SEGMENTS);
        FastKey key = hosts.near.hca().newFastKey(hosts.near.domain(), 2)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> hosts.near.pair().postRegister(1, key, START + 1, 8192, ALL, 0))
          .withMessageContaining("2 pages");
    }
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE, 2);
        FastKey key = hosts.near.hca().newFastKey(hosts.near.domain(), 2)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> hosts.near.pair().postRegister(1, key, START, 8192, ALL, 0))
          .withMessageContaining("make it for " + QueuePair.REGISTER_SEGMENTS);
    }
  }
}
