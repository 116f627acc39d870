package io.twostep.dma.spi;

/** A running host driver; its platform calls {@link #quiesce}, {@link #resume} and {@link #close} one at a time, on any thread. */
public interface Driver extends AutoCloseable {
  /** Finish or fail what is in flight and start nothing new, so that mappings may change below. */
  void quiesce();

  /** Take up work again after {@link #quiesce}. */
  void resume();

  /** Stop the device first, then undo every mapping, then let go; may be repeated. */
  @Override
  void close();
}
