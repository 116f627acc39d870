package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.dma.DmaDirection;

/** What a request asks of a namespace. */
public enum NvmeOperation {
  /** Read blocks into memory. */
  READ(NvmOpcode.READ, DmaDirection.FROM_DEVICE, true),
  /** Write blocks from memory. */
  WRITE(NvmOpcode.WRITE, DmaDirection.TO_DEVICE, true),
  /** Compare blocks with memory; a difference is {@link NvmeErrorKind#COMPARE_MISMATCH}. */
  COMPARE(NvmOpcode.COMPARE, DmaDirection.TO_DEVICE, true),
  /** Make everything written before durable. */
  FLUSH(NvmOpcode.FLUSH, DmaDirection.TO_DEVICE, false),
  /** Set blocks to zero without sending zeroes. */
  WRITE_ZEROES(NvmOpcode.WRITE_ZEROES, DmaDirection.TO_DEVICE, false),
  /** Tell the device that blocks are no longer needed; what they read as afterwards is the device's choice. */
  TRIM(NvmOpcode.DATASET_MANAGEMENT, DmaDirection.TO_DEVICE, false),
  /** Let the device check blocks without moving them. */
  VERIFY(NvmOpcode.VERIFY, DmaDirection.TO_DEVICE, false);

  private final int opcode;
  private final DmaDirection direction;
  private final boolean movesData;

  NvmeOperation(int opcode, DmaDirection direction, boolean movesData) {
    this.opcode = opcode;
    this.direction = direction;
    this.movesData = movesData;
  }

  /** Return the opcode of the NVM command set. */
  public int opcode() {
    return opcode;
  }

  /** Return which way the request's own memory is accessed. */
  public DmaDirection direction() {
    return direction;
  }

  /** Tell whether the request carries data ranges. */
  public boolean movesData() {
    return movesData;
  }
}
