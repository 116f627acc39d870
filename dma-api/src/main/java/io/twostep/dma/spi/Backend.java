package io.twostep.dma.spi;

/** A backend: makes the {@link DmaOps} of each device that is attached through it. Thread-safe. */
public sealed interface Backend extends AutoCloseable permits TerminalBackend, LayerBackend {
  /** Return the name users know it by. */
  String name();

  /** Release what is shared by devices; called once, after every device is detached. */
  @Override
  void close();
}
