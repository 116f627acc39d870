package io.twostep.examples.nvmeof;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A read or write command as it travels (NVMe over Fabrics 1.1, 2.1): 64 bytes, with a keyed data block descriptor that names the initiator's memory.
 *
 * <pre>
 *  0 | opcode | flags | id |
 *  4 | namespace          |
 * 24 | address, 8         |   the descriptor
 * 32 | length, 3 | key, 4 | type |
 * 40 | first block, 8     |
 * 48 | blocks - 1         |
 * </pre>
 *
 * @param opcode {@link #WRITE} or {@link #READ}
 * @param id given back with the answer
 * @param lba first block
 * @param blocks how many, 1 to 65536
 * @param address of the initiator's memory, in its key
 * @param length bytes of the initiator's memory, up to 16 MiB - 1
 * @param key the initiator's key
 */
record CommandCapsule(int opcode, int id, long lba, int blocks, long address, int length, int key) {
  /** From the initiator to the namespace. */
  static final int WRITE = 1;

  /** From the namespace to the initiator. */
  static final int READ = 2;

  /** Bytes of a capsule. */
  static final int SIZE = 64;

  private static final int FLAGS = 0x40;
  private static final int NAMESPACE = 1;
  private static final int KEYED_DATA_BLOCK = 0x40;
  private static final int BYTE = 0xff;
  private static final int SHORT = 0xffff;
  private static final int LENGTH_BITS = 24;
  private static final int TYPE_SHIFT = 56;

  void write(ByteBuffer to) {
    ByteBuffer bytes = to.slice(to.position(), SIZE).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 0; at < SIZE; at += Long.BYTES) {
      bytes.putLong(at, 0);
    }
    bytes.put(0, (byte) opcode).put(1, (byte) FLAGS).putShort(2, (short) id).putInt(4, NAMESPACE);
    bytes.putLong(24, address).putLong(32, ((long) KEYED_DATA_BLOCK << TYPE_SHIFT) | (Integer.toUnsignedLong(key) << LENGTH_BITS) | length);
    bytes.putLong(40, lba).putShort(48, (short) (blocks - 1));
    to.position(to.position() + SIZE);
  }

  /** Return the id of a message that may be no capsule; 0 if it is too short to have one. */
  static int id(ByteBuffer from) {
    return from.remaining() < Integer.BYTES ? 0 : from.slice().order(ByteOrder.LITTLE_ENDIAN).getShort(2) & SHORT;
  }

  /**
   * Read a capsule.
   *
   * @throws IllegalArgumentException if the message is none
   */
  static CommandCapsule read(ByteBuffer from) {
    if (from.remaining() != SIZE) {
      throw new IllegalArgumentException("a command capsule without data has " + SIZE + " bytes, not " + from.remaining());
    }
    ByteBuffer bytes = from.slice().order(ByteOrder.LITTLE_ENDIAN);
    int opcode = bytes.get(0) & BYTE;
    long descriptor = bytes.getLong(32);
    if ((opcode != WRITE && opcode != READ) || descriptor >>> TYPE_SHIFT != KEYED_DATA_BLOCK || bytes.getInt(4) != NAMESPACE) {
      throw new IllegalArgumentException(
          "opcode %d for namespace %d with descriptor type 0x%x: reads and writes of namespace 1 with keyed data blocks are served"
              .formatted(opcode, bytes.getInt(4), descriptor >>> TYPE_SHIFT));
    }
    return new CommandCapsule(
        opcode,
        bytes.getShort(2) & SHORT,
        bytes.getLong(40),
        (bytes.getShort(48) & SHORT) + 1,
        bytes.getLong(24),
        (int) (descriptor & ((1 << LENGTH_BITS) - 1)),
        (int) (descriptor >>> LENGTH_BITS));
  }
}
