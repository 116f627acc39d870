package io.twostep.backend.debug.measure;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Counters of many threads. */
class CountersTest {
  @Test
  void moreThreadsThanStripesLoseNoCount() throws Exception {
    Counters counters = new Counters();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int n = 0; n < 10_000; n++) {
                      int stripe = counters.stripe();
                      counters.add(stripe, Counters.MAP, 1);
                      counters.add(stripe, Counters.BYTES, 3);
                    }
                  }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(counters.sum(Counters.MAP)).isEqualTo(400_000);
    assertThat(counters.sum(Counters.BYTES)).isEqualTo(1_200_000);
    assertThat(counters.sum(Counters.LINK)).isZero();
  }
}
