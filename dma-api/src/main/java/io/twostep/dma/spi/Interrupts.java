package io.twostep.dma.spi;

/** A device's message-signalled interrupts. Thread-safe. */
public interface Interrupts {
  /** Return how many vectors the device has. */
  int count();

  /**
   * Deliver a vector to {@code handler} from now on, and at once if it is pending.
   *
   * <p>The handler runs on the thread that runs the machine or on one in {@link #await}, one call of a vector at a time, those of different vectors perhaps at once; it must not block, and may be called more often than the device signalled.
   */
  void enable(int vector, Runnable handler);

  /** Stop delivering a vector; when this returns the handler is not running and will not be called, and a thread in {@link #await} for it is about to leave. A handler may disable its own vector; two that disable each other's wait for each other. */
  void disable(int vector);

  /**
   * Wait for a vector on the calling thread, and run its handler there: a driver that has nothing to do but wait is woken by the device itself, and not by another thread that was.
   *
   * <p>Returns once the handler was called, here or since the last wait, {@code nanos} have passed (what is finer than a millisecond is the machine's to round up), {@link #wake} or {@link #disable} was called, or for no reason: the caller
   * looks at what it waits for, and waits again. One thread at a time may wait for a vector. The thread is blocked, also if it is virtual, and {@link Thread#interrupt} does not wake it.
   *
   * @param nanos how long at most; 0 or less to let the machine go on once and take what is there
   * @return false at once, with nothing done, if the vector has no handler, another thread waits for it, the caller is its handler, or this machine cannot: the caller goes on with {@link Timers#pause}
   */
  default boolean await(int vector, long nanos) {
    return false;
  }

  /** Have the thread that is in {@link #await} for a vector return, or the next one that comes if none is; the handler may be called. */
  default void wake(int vector) {}
}
