package io.twostep.dma;

/** What may be done to give a device one range where memory is in pieces. */
public enum LinearPolicy {
  /** Map the memory as it is, or refuse: NOT_LINEAR. */
  IN_PLACE,

  /**
   * Where the memory as it is cannot be one range, copy it into slots of a bounce layer that are: what the CPU and the device write meets only at {@code sync} and {@code
   * unmap}, and the pool limits the length. Never done to peer memory.
   */
  MAY_BOUNCE
}
