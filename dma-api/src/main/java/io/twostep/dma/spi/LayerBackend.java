package io.twostep.dma.spi;

/** A layer: takes what concerns it and passes the rest on. */
public non-sealed interface LayerBackend extends Backend {
  /**
   * Attach a device above {@code next}.
   *
   * <p>A device may be attached again while earlier ops of it live, by a restack; what is counted per device belongs in the backend, keyed by the slot. If
   * this throws it leaves {@code next} open: the stack closes it. A layer passes every call on; {@link ForwardingOps} does that for what it leaves alone.
   *
   * @return {@code next} itself when the layer has nothing to do for this device, so that it costs nothing
   * @throws io.twostep.dma.DmaMappingException if the device cannot be served, naming it and the rule
   * @throws IllegalStateException if the backend is closed, naming both; also for a device it would have nothing to do for
   */
  DmaOps attach(AttachContext context, DmaOps next);
}
