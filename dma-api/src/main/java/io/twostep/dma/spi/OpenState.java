package io.twostep.dma.spi;

/**
 * Whether a backend is open; once it is closed it refuses every device, in the words that all backends use. Thread-safe.
 *
 * <p>A backend whose {@code close} is refused while devices are attached asks and closes under the lock that it attaches and detaches under: no device may come in between.
 */
public final class OpenState {
  private volatile boolean isClosed;

  /** Begin open. */
  public OpenState() {}

  /**
   * Refuse a device if the backend is closed; what attach does first.
   *
   * @throws IllegalStateException if it is
   */
  public void requireOpen(Backend backend, AttachContext context) {
    if (isClosed) {
      String kind = backend instanceof LayerBackend ? "layer " : "backend ";
      throw new IllegalStateException(context.device() + ": " + kind + backend.name() + " is closed; make a new one");
    }
  }

  /** Refuse every device from now on; may be repeated. */
  public void close() {
    isClosed = true;
  }
}
