package io.twostep.examples.nvmeof;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The answer to a command, a completion entry of 16 bytes.
 *
 * @param id of the command
 * @param status 0, or the status code that the controller ended the command with
 */
record ResponseCapsule(int id, int status) {
  /** Bytes of a capsule. */
  static final int SIZE = 16;

  /** In status: a field of the command makes no sense. */
  static final int INVALID_FIELD = 0x002;

  /** In status: the target could not do it, for reasons of its own. */
  static final int INTERNAL_ERROR = 0x006;

  /** In status: blocks beyond the namespace. */
  static final int OUT_OF_RANGE = 0x080;

  private static final int SHORT = 0xffff;

  void write(ByteBuffer to) {
    ByteBuffer bytes = to.slice(to.position(), SIZE).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(0, 0).putInt(8, 0).putShort(12, (short) id).putShort(14, (short) (status << 1));
    to.position(to.position() + SIZE);
  }

  static ResponseCapsule read(ByteBuffer from) {
    ByteBuffer bytes = from.slice().order(ByteOrder.LITTLE_ENDIAN);
    return new ResponseCapsule(bytes.getShort(12) & SHORT, (bytes.getShort(14) & SHORT) >>> 1);
  }
}
