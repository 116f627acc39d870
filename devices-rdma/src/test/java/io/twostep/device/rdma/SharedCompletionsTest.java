package io.twostep.device.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Queue pairs that come and go over one completion queue: those that are destroyed take their completions along, and no others. */
class SharedCompletionsTest {
  private static final int DEPTH = 2;

  private record Ended(QueuePair pair, long id) {}

  /** Post receives, and have them end at once. */
  private static void end(QueuePair pair, long... ids) {
    for (long id : ids) {
      assertThat(pair.postReceive(id, new DataSegments())).isTrue();
    }
    pair.fail();
  }

  private static List<Ended> poll(CompletionQueue queue, int most) {
    List<Ended> polled = new ArrayList<>();
    int taken =
        queue.poll(
            most,
            (from, id, receive, status, extra, length) -> {
              assertThat(status).isEqualTo(CompletionStatus.FLUSHED);
              polled.add(new Ended(from, id));
            });
    assertThat(taken).isEqualTo(polled.size());
    return polled;
  }

  @Test
  void closedQueuePairTakesItsCompletionsAlongAndThoseOfOthersKeepTheirOrder() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        CompletionQueue queue = hosts.near.hca().newCompletionQueue(8)) {
      QueuePair first = hosts.near.hca().newQueuePair(hosts.near.domain(), queue, queue, DEPTH);
      try (QueuePair second = hosts.near.hca().newQueuePair(hosts.near.domain(), queue, queue, DEPTH)) {
        end(second, 1);
        end(first, 2);
        end(second, 3);
        end(first, 4);
        first.close();
        assertThat(poll(queue, 8)).containsExactly(new Ended(second, 1), new Ended(second, 3));
      }
    }
  }

  @Test
  void queuePairClosedByWhoHearsOfItsCompletionIsNotHeardOfAgain() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        CompletionQueue queue = hosts.near.hca().newCompletionQueue(8)) {
      QueuePair first = hosts.near.hca().newQueuePair(hosts.near.domain(), queue, queue, DEPTH);
      try (QueuePair second = hosts.near.hca().newQueuePair(hosts.near.domain(), queue, queue, DEPTH)) {
        end(first, 1, 2);
        end(second, 3, 4);
        List<Long> heard = new ArrayList<>();
        int taken =
            queue.poll(
                8,
                (from, id, receive, status, extra, length) -> {
                  heard.add(id);
                  first.close();
                });
        assertThat(heard).containsExactly(1L, 3L, 4L);
        assertThat(taken).isEqualTo(3);
      }
    }
  }

  @Test
  void roomOfWhatWasNotPolledIsTheNextQueuePairs() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        CompletionQueue queue = hosts.near.hca().newCompletionQueue(2 * DEPTH)) {
      for (int round = 0; round < 20; round++) {
        try (QueuePair pair = hosts.near.hca().newQueuePair(hosts.near.domain(), queue, queue, DEPTH)) {
          end(pair, 2 * round, 2 * round + 1);
          if (round % 5 == 4) {
            assertThat(poll(queue, 8)).as("round %d", round).containsExactly(new Ended(pair, 2 * round), new Ended(pair, 2 * round + 1));
          }
        }
        assertThat(poll(queue, 8)).isEmpty();
      }
    }
  }

  @Test
  void whatIsLeftAfterAnyHistoryIsWhatTheOpenQueuePairsEnded() {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE);
        CompletionQueue queue = hosts.near.hca().newCompletionQueue(16)) {
      List<QueuePair> pairs = new ArrayList<>();
      List<Ended> expected = new ArrayList<>();
      for (long step = 0; step < 600; step++) {
        int choice = random.nextInt(10);
        QueuePair pair = pairs.isEmpty() ? null : pairs.get(random.nextInt(pairs.size()));
        if (pair == null || choice == 0 && pairs.size() < 4) {
          pairs.add(hosts.near.hca().newQueuePair(hosts.near.domain(), queue, queue, DEPTH));
        } else if (choice == 1) {
          pair.close();
          pairs.remove(pair);
          expected.removeIf(ended -> ended.pair() == pair);
        } else if (choice < 5) {
          int most = 1 + random.nextInt(4);
          List<Ended> head = expected.subList(0, Math.min(most, expected.size()));
          assertThat(poll(queue, most)).as("step %d, -Dtwostep.seed=%d", step, Seeds.SEED).isEqualTo(head);
          head.clear();
        } else if (expected.stream().filter(ended -> ended.pair() == pair).count() < DEPTH) {
          end(pair, step);
          expected.add(new Ended(pair, step));
        }
      }
      pairs.forEach(QueuePair::close);
      assertThat(poll(queue, 16)).isEmpty();
    }
  }

  @Test
  void queueClosedByWhoHearsOfACompletionIsReadNoFurther() {
    try (TwoHosts hosts = new TwoHosts(WireFaults.NONE)) {
      CompletionQueue queue = hosts.near.hca().newCompletionQueue(8);
      QueuePair only = hosts.near.hca().newQueuePair(hosts.near.domain(), queue, queue, DEPTH);
      end(only, 1, 2);
      int taken =
          queue.poll(
              8,
              (from, id, receive, status, extra, length) -> {
                only.close();
                queue.close();
              });
      assertThat(taken).isEqualTo(1);
    }
  }
}
