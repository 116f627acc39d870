package io.twostep.dma.spi;

/** A backend: makes the {@link DmaOps} of each device that is attached through it. Thread-safe. */
public sealed interface Backend extends AutoCloseable permits TerminalBackend, LayerBackend {
  /** Return the name users know it by. */
  String name();

  /**
   * Release what is shared by devices; called once, after every device is detached.
   *
   * <p>From then on every attach is refused, of any device, with an {@link IllegalStateException} that names device and backend: what is attached to a closed backend is released by nobody. {@link OpenState}
   * says it. A close that is refused, because devices are still attached, has closed nothing.
   */
  @Override
  void close();
}
