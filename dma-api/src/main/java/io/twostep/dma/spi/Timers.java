package io.twostep.dma.spi;

/** The machine's clock, real or virtual, and the way to let the machine run while a caller waits. Thread-safe. */
public interface Timers {
  /** Return nanoseconds since an arbitrary origin. */
  long nanoTime();

  /** Run {@code task} once, {@code delayNanos} from now, on the thread that runs the machine; it must not block. */
  Timer schedule(long delayNanos, Runnable task);

  /**
   * Let the world go on for a moment: what a loop that waits for a device calls each time round.
   *
   * <p>On a modelled machine this steps the device models and runs due timers, and with nothing else to do moves virtual time to
   * the next timer. On a real machine the first pauses of a row are spin hints, for about as long as flash takes to be read, and the later ones short sleeps: who counts on after
   * he has found something sleeps too early, and who always says 1 never sleeps.
   *
   * @param times which pause in a row this is, from 1: how often the caller has looked in vain. A count that has overflowed is taken for a high one
   * @throws IllegalStateException naming the device, if a device model's step threw; the model sleeps until it is woken, the others go on
   */
  void pause(int times);

  /** Let the world go on once, as the first pause of a row: for callers who do not wait, and for tests that step a modelled machine. */
  default void pause() {
    pause(1);
  }

  /** A scheduled task. */
  interface Timer {
    /** Cancel; returns false if the task has run or is running. */
    boolean cancel();
  }
}
