package io.twostep.device.nvme.protection;

import io.twostep.device.nvme.wire.ProtectionTupleLayout;

/** The guard of a format, and with it the shape of its tuples. */
public enum Guard {
  /** A 16-bit checksum; tuples of 8 bytes with a reference tag of 32 bits. */
  CRC16(ProtectionTupleLayout.SIZE_16, 32),
  /** A 64-bit checksum; tuples of 16 bytes with a reference tag of 48 bits. */
  CRC64(ProtectionTupleLayout.SIZE_64, 48);

  private final int tupleSize;
  private final long referenceMask;

  Guard(int tupleSize, int referenceBits) {
    this.tupleSize = tupleSize;
    this.referenceMask = (1L << referenceBits) - 1;
  }

  /** Return the bytes of a tuple. */
  public int tupleSize() {
    return tupleSize;
  }

  /** Return the reference tag's bits, all set. */
  public long referenceMask() {
    return referenceMask;
  }
}
