package io.twostep.machine.model.pci;

import io.twostep.dma.spi.Mmio;
import io.twostep.machine.model.run.MachineLock;

/** The registers of one BAR, from the CPU's side; answers all ones, and loses writes, while the function does not decode. */
final class ModelMmio implements Mmio {
  private final ModelSlot slot;
  private final MachineLock lock;
  private final RegisterFile registers;
  private final int bar;
  private final long length;

  ModelMmio(ModelSlot slot, MachineLock lock, RegisterFile registers, int bar, long length) {
    this.slot = slot;
    this.lock = lock;
    this.registers = registers;
    this.bar = bar;
    this.length = length;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public int read32(long offset) {
    return (int) read(offset, 4);
  }

  @Override
  public long read64(long offset) {
    return read(offset, 8);
  }

  @Override
  public void write32(long offset, int value) {
    write(offset, 4, value & 0xffff_ffffL);
  }

  @Override
  public void write64(long offset, long value) {
    write(offset, 8, value);
  }

  private long read(long offset, int width) {
    requireAccess(offset, width);
    lock.enter();
    try {
      slot.countMmioRead();
      return answer(offset, width);
    } finally {
      lock.exit();
    }
  }

  private void write(long offset, int width, long value) {
    requireAccess(offset, width);
    lock.enter();
    try {
      slot.countMmioWrite();
      take(offset, width, value);
    } finally {
      lock.exit();
    }
  }

  /** Read for whoever asks, aligned and inside; the caller holds the machine's lock. */
  long answer(long offset, int width) {
    return slot.answersRead(bar) ? registers.read(bar, offset, width) : -1L;
  }

  /** Write for whoever asks, aligned and inside; the caller holds the machine's lock. */
  void take(long offset, int width, long value) {
    if (slot.answersWrite(bar)) {
      registers.write(bar, offset, width, value);
    }
  }

  private void requireAccess(long offset, int width) {
    if (offset < 0 || offset > length - width || (offset & (width - 1)) != 0) {
      throw new IndexOutOfBoundsException(
          slot.address() + ": " + width + "-byte access at 0x" + Long.toHexString(offset) + " of BAR " + bar + ", which has 0x"
              + Long.toHexString(length) + " bytes; offsets are aligned to the width");
    }
  }
}
