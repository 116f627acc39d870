package io.twostep.dma.spi;

/** The bottom of a stack: turns physical addresses into DMA addresses. */
public non-sealed interface TerminalBackend extends Backend {
  /**
   * Attach a device.
   *
   * @throws io.twostep.dma.DmaMappingException if the device cannot be served, naming it and the rule
   * @throws IllegalStateException if the backend is closed, naming both
   */
  DmaOps attach(AttachContext context);
}
