package io.twostep.machine.model.pci;

import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceSlot.Bar;

/**
 * The registers behind a function's MSI-X BAR, which the machine adds to the model's own.
 *
 * <pre>
 *   16 * v       message address, low and high
 *   16 * v + 8   message data
 *   16 * v + 12  vector control: bit 0 masks
 *   pendingOffset()  one pending bit per vector
 * </pre>
 *
 * <p>Address and data are kept and mean nothing: delivery goes through {@link ModelInterrupts}. Masks and pending bits are the vectors' own.
 */
final class MsixTable implements RegisterFile {
  private static final int ENTRY = 16;
  private static final int CONTROL = 12;
  private static final long SMALLEST_BAR = 4096;

  private final ModelInterrupts interrupts;
  private final int[] messages;

  MsixTable(ModelInterrupts interrupts) {
    this.interrupts = interrupts;
    this.messages = new int[interrupts.count() * ENTRY / 4];
  }

  BarSpec bar() {
    long bytes = pendingOffset() + (interrupts.count() + 63L) / 64 * 8;
    return new BarSpec(Bar.Kind.REGISTERS, Math.max(SMALLEST_BAR, Long.highestOneBit(bytes * 2 - 1)));
  }

  int pendingOffset() {
    return (interrupts.count() * ENTRY + 2047) & -2048;
  }

  @Override
  public long read(int bar, long offset, int width) {
    long low = read32((int) offset) & 0xffff_ffffL;
    return width == 4 ? low : low | ((long) read32((int) offset + 4) << 32);
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    write32((int) offset, (int) value);
    if (width == 8) {
      write32((int) offset + 4, (int) (value >>> 32));
    }
  }

  private int read32(int offset) {
    if (offset >= pendingOffset()) {
      return pending((offset - pendingOffset()) * 8);
    }
    int vector = offset / ENTRY;
    if (vector >= interrupts.count()) {
      return 0;
    }
    return offset % ENTRY == CONTROL ? (interrupts.masked(vector) ? 1 : 0) : messages[offset / 4];
  }

  private int pending(int firstVector) {
    int bits = 0;
    for (int i = 0; i < 32 && firstVector + i < interrupts.count(); i++) {
      bits |= interrupts.pending(firstVector + i) ? 1 << i : 0;
    }
    return bits;
  }

  private void write32(int offset, int value) {
    int vector = offset / ENTRY;
    if (vector >= interrupts.count()) {
      return;
    }
    if (offset % ENTRY == CONTROL) {
      interrupts.mask(vector, (value & 1) != 0);
    } else {
      messages[offset / 4] = value;
    }
  }
}
