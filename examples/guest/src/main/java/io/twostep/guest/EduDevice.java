package io.twostep.guest;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.Timers;

/**
 * QEMU's {@code edu} device: 4 KiB of its own memory, and a bus master of 28 address bits that copies between it and the machine's memory on command.
 *
 * <p>Registers in BAR 0: 0x60 raises an interrupt, 0x64 acknowledges; 0x80 source, 0x88 destination, 0x90 length, 0x98 command: bit 0 starts and reads as busy, bit 1 is towards the
 * machine's memory.
 */
final class EduDevice {
  /** Address bits of its bus master. */
  static final int ADDRESS_BITS = 28;

  /** Bytes that are copied at once. It holds 4096, but copies that touch the last byte end QEMU 7.2. */
  static final int LENGTH = 2048;

  private static final long RAISE = 0x60;
  private static final long ACKNOWLEDGE = 0x64;
  private static final long SOURCE = 0x80;
  private static final long DESTINATION = 0x88;
  private static final long COUNT = 0x90;
  private static final long COMMAND = 0x98;
  private static final long OWN_MEMORY = 0x40000;
  private static final int START = 1;
  private static final int TO_MACHINE = 2;
  private static final long PATIENCE_NANOS = 30_000_000_000L;

  private final String name;
  private final Mmio registers;
  private final Timers timers;

  EduDevice(DeviceSlot slot, Timers timers) {
    this.name = slot.address().text();
    this.registers = slot.mmio(0);
    this.timers = timers;
  }

  /** Read the machine's memory into the device's own. */
  void read(long dmaAddress, int length) {
    copy(dmaAddress, OWN_MEMORY, length, START);
  }

  /** Write the device's own memory into the machine's. */
  void write(long dmaAddress, int length) {
    copy(OWN_MEMORY, dmaAddress, length, START | TO_MACHINE);
  }

  private void copy(long from, long to, int length, int command) {
    registers.write64(SOURCE, from);
    registers.write64(DESTINATION, to);
    registers.write64(COUNT, length);
    registers.write64(COMMAND, command);
    long end = timers.nanoTime() + PATIENCE_NANOS;
    int fruitless = 0;
    while ((registers.read64(COMMAND) & START) != 0) {
      if (timers.nanoTime() - end > 0) {
        throw new IllegalStateException(name + ": the device is still copying after 30 s");
      }
      timers.pause(++fruitless);
    }
  }

  /** Raise the interrupt. */
  void interrupt() {
    registers.write32(RAISE, 1);
  }

  /** Take the interrupt back. */
  void acknowledge() {
    registers.write32(ACKNOWLEDGE, 1);
  }
}
