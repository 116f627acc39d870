package io.twostep.dma;

/** Where the frames of a {@link MemoryBlock} come from. */
public enum MemoryPlacement {
  /** One physical range, aligned to the smallest power of two that holds it. */
  CONTIGUOUS,
  /** Single frames wherever they are free; on the modelled machine in an order drawn from its seed. */
  SCATTERED,
  /** One physical range that no CPU cache ever holds for a device that does not snoop: for coherent buffers. */
  COHERENT
}
