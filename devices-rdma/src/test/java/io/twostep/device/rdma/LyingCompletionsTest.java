package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.rdma.TwoHosts.Done;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.dma.MemoryBlock;
import org.junit.jupiter.api.Test;

/** An adapter that says of requests that they have ended, and they have not: whoever believed it would use their memory again. */
class LyingCompletionsTest {
  private static final int PAGE = 4096;
  private static final int REQUESTS = 3;
  private static final long NEAR = 0x10_0000_0000L;
  private static final long FAR = 0x7f_1234_5000L;

  private static void isRefused(QueuePair pair, boolean receive, int counter) {
    int room = pair.room();
    assertThatExceptionOfType(HcaException.class)
        .isThrownBy(() -> pair.finished(receive, counter))
        .withMessage(
            "%s: queue pair %d: the adapter says that %s %d has ended, which is not outstanding; reset the adapter",
            pair.hca().name(), pair.number(), receive ? "receive" : "request", counter);
    assertThat(pair.room()).isEqualTo(room);
  }

  @Test
  void onlyWhatIsOutstandingEndsAndOnlyOnce() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(Connection.DEFAULT);
      MemoryBlock near = hosts.near.memory(PAGE);
      MemoryBlock far = hosts.far.memory(PAGE);
      MemoryKey nearKey = hosts.near.register(near, NEAR, AccessFlags.LOCAL_WRITE);
      MemoryKey farKey = hosts.far.register(far, FAR, AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE);
      QueuePair pair = hosts.near.pair();
      isRefused(pair, false, 0);
      isRefused(pair, true, 0);
      for (int i = 0; i < REQUESTS; i++) {
        assertThat(pair.postWrite(i, nearKey, NEAR, PAGE, farKey.key(), FAR)).isTrue();
      }
      isRefused(pair, false, REQUESTS);
      isRefused(pair, false, 0xffff);
      isRefused(pair, true, 0);
      hosts.await(hosts.near, REQUESTS);
      assertThat(hosts.near.done).extracting(Done::id).containsExactly(0L, 1L, 2L);
      isRefused(pair, false, REQUESTS - 1);
      assertThat(pair.room()).isEqualTo(TwoHosts.DEPTH);
    }
  }

  @Test
  void receivesEndInTheOrderInWhichTheyWerePosted() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      hosts.connect(Connection.DEFAULT);
      QueuePair pair = hosts.near.pair();
      for (int i = 0; i < REQUESTS; i++) {
        assertThat(pair.postReceive(i, new DataSegments())).isTrue();
      }
      assertThatExceptionOfType(HcaException.class)
          .isThrownBy(() -> pair.finished(true, 1))
          .withMessage(
              "%s: queue pair %d: the adapter says that receive 1 has ended, and receive 0, posted before it, has not; reset the adapter", pair.hca().name(), pair.number());
      assertThat(pair.finished(true, 0)).isZero();
      assertThat(pair.finished(true, 1)).isEqualTo(1);
    }
  }
}
