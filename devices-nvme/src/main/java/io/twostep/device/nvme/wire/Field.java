package io.twostep.device.nvme.wire;

/** One field of a structure in memory: where it begins and how many bytes it takes. */
public sealed interface Field permits U8, U16, U32, U64, Bytes {
  /** Return the byte offset in the structure. */
  int offset();

  /** Return the width in bytes. */
  int width();
}
