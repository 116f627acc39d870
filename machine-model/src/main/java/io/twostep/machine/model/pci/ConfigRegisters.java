package io.twostep.machine.model.pci;

import io.twostep.dma.spi.DeviceModel.Identity;
import java.util.Objects;

/**
 * The bytes of a function's configuration space, each with a mask of the bits that software may write.
 *
 * <p>Only storage: what a write to the command register or to a BAR means is the slot's business. Not thread-safe.
 */
final class ConfigRegisters {
  static final int SIZE = 4096;
  static final int COMMAND = 0x04;
  static final int STATUS = 0x06;
  static final int BAR_0 = 0x10;
  static final int BARS = 6;
  static final int SUBSYSTEM = 0x2c;
  static final int CAPABILITIES = 0x34;

  static final int MEMORY_ENABLE = 1 << 1;
  static final int MASTER_ENABLE = 1 << 2;
  private static final int INTERRUPT_DISABLE = 1 << 10;
  private static final int STATUS_CAPABILITIES = 1 << 4;

  private final byte[] bytes = new byte[SIZE];
  private final byte[] writable = new byte[SIZE];

  ConfigRegisters(Identity identity) {
    set(0x00, 2, identity.vendor());
    set(0x02, 2, identity.device());
    allow(COMMAND, 2, MEMORY_ENABLE | MASTER_ENABLE | INTERRUPT_DISABLE);
    set(STATUS, 2, STATUS_CAPABILITIES);
    set(0x08, 1, identity.revision());
    set(0x09, 3, identity.classCode());
    allow(0x0c, 1, 0xff);
    set(SUBSYSTEM, 2, identity.vendor());
    set(SUBSYSTEM + 2, 2, identity.device());
    allow(0x3c, 1, 0xff);
  }

  /** Read as software does. */
  long read(int offset, int width) {
    requireAccess(offset, width);
    return get(offset, width);
  }

  /** Write as software does: bits it may not write keep their value. */
  void write(int offset, int width, long value) {
    requireAccess(offset, width);
    for (int i = 0; i < width; i++) {
      int mask = writable[offset + i] & 0xff;
      bytes[offset + i] = (byte) ((bytes[offset + i] & ~mask) | ((int) (value >>> (8 * i)) & mask));
    }
  }

  /** Return the little-endian value of some bytes. */
  long get(int offset, int width) {
    long value = 0;
    for (int i = width - 1; i >= 0; i--) {
      value = (value << 8) | (bytes[offset + i] & 0xff);
    }
    return value;
  }

  void set(int offset, int width, long value) {
    for (int i = 0; i < width; i++) {
      bytes[offset + i] = (byte) (value >>> (8 * i));
    }
  }

  /** Let software write the bits of {@code mask}. */
  void allow(int offset, int width, long mask) {
    for (int i = 0; i < width; i++) {
      writable[offset + i] = (byte) (mask >>> (8 * i));
    }
  }

  private static void requireAccess(int offset, int width) {
    if ((width != 1 && width != 2 && width != 4) || offset % width != 0) {
      throw new IllegalArgumentException(
          "configuration access of " + width + " bytes at 0x" + Integer.toHexString(offset) + ": width must be 1, 2 or 4, aligned");
    }
    Objects.checkFromIndexSize(offset, width, SIZE);
  }
}
