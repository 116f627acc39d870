package io.twostep.dma.spi;

/** A layer: takes what concerns it and passes the rest on. */
public non-sealed interface LayerBackend extends Backend {
  /**
   * Attach a device above {@code next}.
   *
   * @return {@code next} itself when the layer has nothing to do for this device, so that it costs nothing
   * @throws io.twostep.dma.DmaMappingException if the device cannot be served, naming it and the rule
   */
  DmaOps attach(AttachContext context, DmaOps next);
}
