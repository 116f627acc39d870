package io.twostep.dma.spi;

/** A device's message-signalled interrupts. Thread-safe. */
public interface Interrupts {
  /** Return how many vectors the device has. */
  int count();

  /**
   * Deliver a vector to {@code handler} from now on, and at once if it is pending.
   *
   * <p>The handler runs on the thread that runs the machine, must not block, and may be called once more than the device signalled.
   */
  void enable(int vector, Runnable handler);

  /** Stop delivering a vector; when this returns the handler is not running and will not be called. */
  void disable(int vector);
}
