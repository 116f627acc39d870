package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryBlock;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A WRITE with immediate data lands where it says, and ends a receive whose own memory it leaves alone (IBA 9.4.4). */
class ImmediateWriteTest {
  private static final int ALL = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE;
  private static final WireFaults BAD = new WireFaults(0.03, 0.03, 0.05, 0.01, 0.01);
  private static final int MTU = 1024;
  private static final int[] LENGTHS = {0, 1, MTU - 1, MTU, MTU + 1, 5 * MTU, 7 * MTU + 13};
  private static final long NEAR = 0x10_0000_0000L;
  private static final long FAR = 0x7f_1234_5000L;
  private static final String SEED = "-Dtwostep.seed=" + Seeds.SEED;

  @Test
  void endsReceivesInOrderWithItsDataInPlace() {
    try (TwoHosts hosts = new TwoHosts(BAD)) {
      hosts.connect(new Connection(MTU, 8, 7, 7, 1, 4));
      MemoryBlock near = HcaTest.random(hosts.near, 1);
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      MemoryKey nearKey = hosts.near.register(near, NEAR, ALL);
      MemoryKey farKey = hosts.far.register(far, FAR, ALL);
      byte[] expected = far.segment().toArray(ValueLayout.JAVA_BYTE);
      byte[] source = near.segment().toArray(ValueLayout.JAVA_BYTE);
      List<Done> ended = new ArrayList<>();
      int at = 11;
      for (int i = 0; i < LENGTHS.length; i++) {
        assertThat(hosts.far.pair().postReceive(i, farKey, FAR + 60_000, 8)).isTrue();
        assertThat(hosts.near.pair().postWriteImmediate(i, nearKey, NEAR + 3 * i, LENGTHS[i], farKey.key(), FAR + at, 0x80000001 + i)).isTrue();
        System.arraycopy(source, 3 * i, expected, at, LENGTHS[i]);
        at += LENGTHS[i];
        ended.add(new Done(i, true, CompletionStatus.SUCCESS, 0x80000001 + i, LENGTHS[i]));
      }
      hosts.await(hosts.far, LENGTHS.length);
      hosts.await(hosts.near, LENGTHS.length);
      assertThat(hosts.far.done).as(SEED).isEqualTo(ended);
      assertThat(hosts.near.done).as(SEED).extracting(Done::status).containsOnly(CompletionStatus.SUCCESS);
      assertThat(far.segment().toArray(ValueLayout.JAVA_BYTE)).as(SEED).isEqualTo(expected);
    }
  }

  @Test
  void waitsForAReceiveThatIsPostedLate() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(new Connection(MTU, 8, 7, 7, 1, 4));
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      MemoryKey farKey = hosts.far.register(HcaTest.random(hosts.far, 2), FAR, ALL);
      hosts.near.pair().postWriteImmediate(1, nearKey, NEAR, 2 * MTU, farKey.key(), FAR, 5);
      for (int round = 0; round < 50; round++) {
        hosts.near.work();
        hosts.far.work();
      }
      assertThat(hosts.near.done).isEmpty();
      assertThat(hosts.far.done).isEmpty();
      hosts.far.pair().postReceive(2, farKey, FAR, 8);
      hosts.await(hosts.far, 1);
      hosts.await(hosts.near, 1);
      assertThat(hosts.far.done).containsExactly(new Done(2, true, CompletionStatus.SUCCESS, 5, 2 * MTU));
    }
  }

  @Test
  void refusedOneEndsNoReceiveWell() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(new Connection(MTU, 8, 7, 7, 1, 4));
      MemoryBlock far = HcaTest.random(hosts.far, 2);
      MemoryKey nearKey = hosts.near.register(HcaTest.random(hosts.near, 1), NEAR, ALL);
      MemoryKey farKey = hosts.far.register(far, FAR, ALL);
      byte[] before = far.segment().toArray(ValueLayout.JAVA_BYTE);
      hosts.far.pair().postReceive(2, farKey, FAR, 8);
      hosts.near.pair().postWriteImmediate(1, nearKey, NEAR, 2 * MTU, farKey.key() + 1, FAR, 5);
      hosts.await(hosts.near, 1);
      hosts.await(hosts.far, 1);
      assertThat(hosts.near.done).containsExactly(new Done(1, false, CompletionStatus.REMOTE_ACCESS, 0, 0));
      assertThat(hosts.far.done).extracting(Done::status).doesNotContain(CompletionStatus.SUCCESS);
      assertThat(far.segment().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
    }
  }
}
