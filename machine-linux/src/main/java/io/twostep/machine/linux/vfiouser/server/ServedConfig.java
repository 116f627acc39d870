package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceModel.Identity;
import io.twostep.dma.spi.DeviceSlot.Bar;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * The served function's configuration space: a mask says which bits the client may write.
 *
 * <pre>
 *   0x00 header   0x34 -> 0x40 PCI Express endpoint, function-level reset -> 0x80 MSI-X, if there are vectors
 * </pre>
 *
 * <p>BARs are where the client puts them: their registers can be sized and written, and mean nothing here.
 */
final class ServedConfig {
  /** Bytes of the space. */
  static final int SIZE = 4096;

  private static final int COMMAND = 0x04;
  private static final int MASTER_ENABLE = 1 << 2;
  private static final int COMMAND_WRITABLE = 1 << 1 | MASTER_ENABLE | 1 << 10;
  private static final int STATUS = 0x06;
  private static final int HAS_CAPABILITIES = 1 << 4;
  private static final int REVISION = 0x08;
  private static final int CLASS = 0x09;
  private static final int CACHE_LINE = 0x0c;
  private static final int BAR_0 = 0x10;
  private static final int BAR_64 = 0x4;
  private static final int BAR_PREFETCHABLE = 0x8;
  private static final int SUBSYSTEM = 0x2c;
  private static final int CAPABILITIES = 0x34;
  private static final int LINE = 0x3c;
  private static final int EXPRESS = 0x40;
  private static final int EXPRESS_ID = 0x10;
  private static final int EXPRESS_VERSION = 2;
  private static final int RESET_CAPABLE = 1 << 28;
  private static final int DEVICE_CONTROL = EXPRESS + 8;
  private static final int FUNCTION_RESET = 1 << 15;
  private static final int MSIX = 0x80;
  private static final int MSIX_ID = 0x11;
  private static final int MSIX_WRITABLE = 3 << 14;

  private final byte[] bytes = new byte[SIZE];
  private final byte[] writable = new byte[SIZE];

  /**
   * Describe a function.
   *
   * @param msixBar the BAR of the MSI-X table, -1 if there is none
   * @param pendingOffset where the pending bits begin in it
   */
  ServedConfig(Identity identity, List<BarSpec> bars, int vectors, int msixBar, int pendingOffset) {
    set(0x00, 2, identity.vendor());
    set(0x02, 2, identity.device());
    allow(COMMAND, 2, COMMAND_WRITABLE);
    set(STATUS, 2, HAS_CAPABILITIES);
    set(REVISION, 1, identity.revision());
    set(CLASS, 3, identity.classCode());
    allow(CACHE_LINE, 1, 0xff);
    set(SUBSYSTEM, 2, identity.vendor());
    set(SUBSYSTEM + 2, 2, identity.device());
    allow(LINE, 1, 0xff);
    for (int i = 0; i < bars.size(); i++) {
      describe(i, bars.get(i));
    }
    set(CAPABILITIES, 1, EXPRESS);
    set(EXPRESS, 1, EXPRESS_ID);
    set(EXPRESS + 2, 2, EXPRESS_VERSION);
    set(EXPRESS + 4, 4, RESET_CAPABLE);
    allow(DEVICE_CONTROL, 2, 0xffff & ~FUNCTION_RESET);
    if (msixBar >= 0) {
      set(EXPRESS + 1, 1, MSIX);
      set(MSIX, 1, MSIX_ID);
      set(MSIX + 2, 2, vectors - 1);
      allow(MSIX + 2, 2, MSIX_WRITABLE);
      set(MSIX + 4, 4, msixBar);
      set(MSIX + 8, 4, (long) pendingOffset | msixBar);
    }
  }

  private void describe(int index, BarSpec bar) {
    if (bar.kind() == Bar.Kind.NONE) {
      return;
    }
    boolean wide = ServedBars.isWide(bar);
    int register = BAR_0 + 4 * index;
    set(register, 4, (wide ? BAR_64 : 0) | (bar.kind() == Bar.Kind.MEMORY ? BAR_PREFETCHABLE : 0));
    allow(register, wide ? 8 : 4, -bar.length());
  }

  /** Tell whether the function may master the bus. */
  boolean masters() {
    return (bytes[COMMAND] & MASTER_ENABLE) != 0;
  }

  /** Read bytes at {@code offset}, which lie inside, to {@code at}. */
  void read(int offset, MemorySegment to, long at, int count) {
    MemorySegment.copy(bytes, offset, to, ValueLayout.JAVA_BYTE, at, count);
  }

  /** Write bytes at {@code offset}, which lie inside, from {@code at}: bits that are read-only keep their value. Returns whether a reset of the function was asked for. */
  boolean write(int offset, MemorySegment from, long at, int count) {
    boolean reset = false;
    for (int i = 0; i < count; i++) {
      int value = from.get(ValueLayout.JAVA_BYTE, at + i);
      int mask = writable[offset + i];
      bytes[offset + i] = (byte) ((bytes[offset + i] & ~mask) | (value & mask));
      reset |= offset + i == DEVICE_CONTROL + 1 && (value & (FUNCTION_RESET >>> 8)) != 0;
    }
    return reset;
  }

  /** Stop the function from mastering the bus, as a reset does. */
  void reset() {
    set(COMMAND, 2, 0);
  }

  /** Go back to the state after power-on: what the client wrote is forgotten. */
  void powerOn() {
    for (int i = 0; i < SIZE; i++) {
      bytes[i] &= (byte) ~writable[i];
    }
  }

  private void set(int offset, int width, long value) {
    for (int i = 0; i < width; i++) {
      bytes[offset + i] = (byte) (value >>> (8 * i));
    }
  }

  private void allow(int offset, int width, long mask) {
    for (int i = 0; i < width; i++) {
      writable[offset + i] = (byte) (mask >>> (8 * i));
    }
  }
}
