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
   * the next timer; on a real machine it is a spin hint, then a short sleep.
   *
   * @throws IllegalStateException naming the device, if a device model's step threw; the model sleeps until it is woken, the others go on
   */
  void pause();

  /** A scheduled task. */
  interface Timer {
    /** Cancel; returns false if the task has run or is running. */
    boolean cancel();
  }
}
