package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryBlock;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** Requests whose data lies in several places, that end without saying so, and that wait for others. */
class SegmentedRequestsTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ | AccessFlags.REMOTE_ATOMIC;
  private static final WireFaults BAD = new WireFaults(0.03, 0.03, 0.05, 0.01, 0.01);
  private static final Connection SMALL = new Connection(1024, 8, 7, 7, 1, 4);
  private static final long NEAR = 0x10_0000_0000L;
  private static final long FAR = 0x7f_1234_5000L;
  private static final String SEED = "-Dtwostep.seed=" + Seeds.SEED;

  @Test
  void writesGatherAndReadsScatterAsManySegmentsAsTheQueuePairWasMadeFor() {
    for (int segments : new int[] {1, 2, 3, 7, 30, QueuePair.MAX_SEGMENTS}) {
      try (TwoHosts hosts = new TwoHosts(BAD, segments)) {
        hosts.connect(SMALL);
        MemoryBlock near = HcaTest.random(hosts.near, 1);
        MemoryBlock far = HcaTest.random(hosts.far, 2);
        MemoryKey nearKey = hosts.near.register(near, NEAR, ALL);
        MemoryKey farKey = hosts.far.register(far, FAR, ALL);
        byte[] source = bytes(near);
        byte[] model = bytes(far);
        DataSegments data = new DataSegments();
        int at = 17;
        for (int i = 0; i < segments; i++) {
          data.add(nearKey, NEAR + 1000L * i, 1 + 13L * i);
          System.arraycopy(source, 1000 * i, model, at, 1 + 13 * i);
          at += 1 + 13 * i;
        }
        assertThat(hosts.near.pair().postWrite(1, data, farKey.key(), FAR + 17, 0)).isTrue();
        at = 30_000;
        byte[] back = source.clone();
        for (int i = 0; i < segments; i++) {
          System.arraycopy(model, at, back, 1000 * i, 1 + 13 * i);
          at += 1 + 13 * i;
        }
        assertThat(hosts.near.pair().postRead(2, data, farKey.key(), FAR + 30_000, 0)).isTrue();
        hosts.await(hosts.near, 2);
        assertThat(hosts.near.done).extracting(Done::status).as(SEED).containsOnly(CompletionStatus.SUCCESS);
        assertThat(hosts.near.done).extracting(Done::length).containsExactly(data.bytes(), data.bytes());
        assertThat(bytes(far)).as(SEED).isEqualTo(model);
        assertThat(bytes(near)).as(SEED).isEqualTo(back);
        DataSegments tooMany = data.add(nearKey, NEAR, 1);
        assertThatIllegalArgumentException()
            .isThrownBy(() -> hosts.near.pair().postSend(3, tooMany, 0))
            .withMessageContaining((segments + 1) + " data segments");
      }
    }
  }

  @Test
  void sendsWithImmediateDataFillTheSegmentsOfAReceiveInOrder() {
    try (TwoHosts hosts = new TwoHosts(BAD, 6)) {
      hosts.connect(SMALL);
      MemoryBlock near = HcaTest.random(hosts.near, 1);
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      MemoryKey nearKey = hosts.near.register(near, NEAR, ALL);
      MemoryKey farKey = hosts.far.register(far, FAR, ALL);
      DataSegments into = new DataSegments();
      DataSegments from = new DataSegments();
      byte[] source = near.segment().toArray(ValueLayout.JAVA_BYTE);
      byte[] expected = far.segment().toArray(ValueLayout.JAVA_BYTE);
      for (int i = 0; i < 6; i++) {
        from.add(nearKey, NEAR + 1000 + 2000L * i, 2000);
        into.add(farKey, FAR + 9000L * i + i, 2100);
      }
      for (int i = 0; i < 6; i++) {
        System.arraycopy(source, 1000 + 2100 * i, expected, 9000 * i + i, i < 5 ? 2100 : 1500);
      }
      assertThat(hosts.far.pair().postReceive(5, into)).isTrue();
      assertThat(hosts.near.pair().postSendImmediate(1, from, 0x12345678, 0)).isTrue();
      hosts.await(hosts.far, 1);
      hosts.await(hosts.near, 1);
      assertThat(hosts.far.done).as("-Dtwostep.seed=" + Seeds.SEED).containsExactly(new Done(5, true, CompletionStatus.SUCCESS, 0x12345678, 12_000));
      assertThat(far.segment().toArray(ValueLayout.JAVA_BYTE)).as("-Dtwostep.seed=" + Seeds.SEED).isEqualTo(expected);
    }
  }

  @Test
  void silentRequestsSayNothingAndMakeRoomWhenALaterOneCompletes() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      MemoryKey farKey = hosts.far.register(HcaTest.random(hosts.far, 2), FAR, ALL);
      DataSegments data = new DataSegments().add(nearKey, NEAR, 100);
      for (int round = 1; round <= 3; round++) {
        for (int i = 1; i < TwoHosts.DEPTH; i++) {
          assertThat(hosts.near.pair().postWrite(7, data, farKey.key(), FAR, QueuePair.SILENT)).isTrue();
        }
        assertThat(hosts.near.pair().postWrite(round, data, farKey.key(), FAR, 0)).isTrue();
        assertThat(hosts.near.pair().room()).isZero();
        assertThat(hosts.near.pair().postWrite(99, data, farKey.key(), FAR, 0)).isFalse();
        hosts.await(hosts.near, round);
        assertThat(hosts.near.pair().room()).isEqualTo(TwoHosts.DEPTH);
      }
      assertThat(hosts.near.done).extracting(Done::id).containsExactly(1L, 2L, 3L);
    }
  }

  @Test
  void silentRequestThatFailsSaysSoAndSoDoWhatFollows() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(SMALL);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      MemoryKey farKey = hosts.far.register(HcaTest.random(hosts.far, 2), FAR, ALL);
      DataSegments data = new DataSegments().add(nearKey, NEAR, 100);
      hosts.near.pair().postWrite(1, data, farKey.key(), FAR, QueuePair.SILENT);
      hosts.near.pair().postWrite(2, data, farKey.key() + 1, FAR, QueuePair.SILENT);
      hosts.near.pair().postWrite(3, data, farKey.key(), FAR, QueuePair.SILENT);
      hosts.await(hosts.near, 2);
      assertThat(hosts.near.done)
          .containsExactly(new Done(2, false, CompletionStatus.REMOTE_ACCESS, 0, 0), new Done(3, false, CompletionStatus.FLUSHED, 0, 0));
      assertThat(hosts.near.pair().room()).isEqualTo(TwoHosts.DEPTH);
    }
  }

  @Test
  void fencedWriteSendsWhatTheReadBeforeItFetched() {
    try (TwoHosts hosts = new TwoHosts(BAD)) {
      hosts.connect(SMALL);
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      MemoryKey nearKey = hosts.near.register(hosts.near.memory(1 << 16), NEAR, ALL);
      MemoryKey farKey = hosts.far.register(far, FAR, ALL);
      byte[] model = bytes(far);
      System.arraycopy(model, 0, model, 40_000, 20_000);
      DataSegments data = new DataSegments().add(nearKey, NEAR, 20_000);
      hosts.near.pair().postRead(1, data, farKey.key(), FAR, 0);
      hosts.near.pair().postWrite(2, data, farKey.key(), FAR + 40_000, QueuePair.FENCE);
      hosts.await(hosts.near, 2);
      assertThat(bytes(far)).as(SEED).isEqualTo(model);
    }
  }

  private static byte[] bytes(MemoryBlock block) {
    return block.segment().toArray(ValueLayout.JAVA_BYTE);
  }
}
