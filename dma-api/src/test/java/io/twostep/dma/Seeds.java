package io.twostep.dma;

import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Seeds of random histories: {@code -Dtwostep.seed=} repeats one; a failure names its own. */
final class Seeds {
  private Seeds() {}

  interface History {
    void run(Random random);
  }

  /** Run a history on a thread of its own: refusals are frequent, and their stack traces are cheap only on a short stack. */
  static void run(long seed, History history) throws InterruptedException {
    long used = Long.getLong("twostep.seed", seed);
    AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                history.run(new Random(used));
              } catch (AssertionError | RuntimeException e) {
                failure.set(e);
              }
            },
            "history");
    thread.start();
    thread.join();
    Throwable thrown = failure.get();
    if (thrown != null) {
      throw new AssertionError("repeat with -Dtwostep.seed=" + used + ": " + thrown, thrown);
    }
  }
}
