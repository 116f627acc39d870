package io.twostep.machine.linux.slot;

import io.twostep.dma.spi.ConfigSpace;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.vfio.VfioDevice;
import io.twostep.machine.linux.vfio.VfioRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A device's configuration space, as the kernel lets programs see it. Thread-safe. A device that does not answer reads all ones and loses writes, as on the bus. */
final class SlotConfig implements ConfigSpace {
  static final int COMMAND = 4;
  static final int MEMORY_ENABLE = 2;
  static final int MASTER_ENABLE = 4;

  private final VfioDevice device;
  private final VfioRegion region;

  SlotConfig(VfioDevice device) {
    this.device = device;
    this.region = device.config();
  }

  @Override
  public long read(int offset, int width) {
    require(offset, width);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(width, width);
      return device.read(region, offset, bytes) ? value(bytes, width) : allOnes(width);
    } catch (SystemCallException e) {
      return allOnes(width);
    }
  }

  @Override
  public void write(int offset, int width, long value) {
    require(offset, width);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(width, width);
      for (int i = 0; i < width; i++) {
        bytes.set(ValueLayout.JAVA_BYTE, i, (byte) (value >>> (8 * i)));
      }
      device.write(region, offset, bytes);
    } catch (SystemCallException e) {
      // Lost, as a write to a device that is not there is; who must know reads back.
    }
  }

  /** Set or clear bits of the command register; returns whether it reads back so. */
  synchronized boolean command(int bits, boolean on) {
    long before = read(COMMAND, 2);
    if (before == 0xffff) {
      return false;
    }
    write(COMMAND, 2, on ? before | bits : before & ~(long) bits);
    long after = read(COMMAND, 2);
    return after != 0xffff && (after & bits) == (on ? bits : 0);
  }

  private static long value(MemorySegment bytes, int width) {
    long value = 0;
    for (int i = 0; i < width; i++) {
      value |= Byte.toUnsignedLong(bytes.get(ValueLayout.JAVA_BYTE, i)) << (8 * i);
    }
    return value;
  }

  private static long allOnes(int width) {
    return (1L << (8 * width)) - 1;
  }

  private void require(int offset, int width) {
    if ((width != 1 && width != 2 && width != 4) || offset < 0 || offset > region.length() - width || (offset & (width - 1)) != 0) {
      throw new IllegalArgumentException(
          "%s: no configuration access of %d bytes at 0x%x; widths are 1, 2 and 4, aligned, within 0x%x".formatted(device, width, offset, region.length()));
    }
  }
}
