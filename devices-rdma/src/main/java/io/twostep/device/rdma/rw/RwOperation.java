package io.twostep.device.rdma.rw;

import io.twostep.dma.DmaDirection;

/** Which way the bytes of a transfer go. */
public enum RwOperation {
  /** From the peer's memory into local memory. */
  READ(DmaDirection.FROM_DEVICE),
  /** From local memory into the peer's. */
  WRITE(DmaDirection.TO_DEVICE);

  private final DmaDirection direction;

  RwOperation(DmaDirection direction) {
    this.direction = direction;
  }

  /** Return what the adapter does to local memory. */
  public DmaDirection direction() {
    return direction;
  }
}
