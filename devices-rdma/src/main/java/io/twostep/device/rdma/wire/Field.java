package io.twostep.device.rdma.wire;

/** One field of a structure in memory: where it begins and how many bytes it takes. */
public sealed interface Field permits U8, Be16, Be32, Be64 {
  /** Return the byte offset in the structure. */
  int offset();

  /** Return the width in bytes. */
  int width();
}
