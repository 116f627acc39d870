package io.twostep.machine.linux.slot;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.Mmio;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.vfio.VfioDevice;
import io.twostep.machine.linux.vfio.VfioRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The registers of a BAR that cannot be mapped whole, each access a system call. Thread-safe. A device that does not answer is DETACHED. */
final class RegionMmio implements Mmio {
  private final VfioDevice device;
  private final VfioRegion region;
  private final String name;

  RegionMmio(VfioDevice device, VfioRegion region, String name) {
    this.device = device;
    this.region = region;
    this.name = name;
  }

  @Override
  public long length() {
    return region.length();
  }

  @Override
  public int read32(long offset) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_INT);
      access(offset, value, true);
      return value.get(JAVA_INT, 0);
    }
  }

  @Override
  public long read64(long offset) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_LONG);
      access(offset, value, true);
      return value.get(JAVA_LONG, 0);
    }
  }

  @Override
  public void write32(long offset, int value) {
    try (Arena arena = Arena.ofConfined()) {
      access(offset, arena.allocateFrom(JAVA_INT, value), false);
    }
  }

  @Override
  public void write64(long offset, long value) {
    try (Arena arena = Arena.ofConfined()) {
      access(offset, arena.allocateFrom(JAVA_LONG, value), false);
    }
  }

  private void access(long offset, MemorySegment value, boolean read) {
    long width = value.byteSize();
    if (offset < 0 || offset > region.length() - width || (offset & (width - 1)) != 0) {
      throw new IllegalArgumentException(
          "%s: access of %d bytes at 0x%x is not aligned, or not within 0x%x bytes".formatted(name, width, offset, region.length()));
    }
    boolean done;
    try {
      done = read ? device.read(region, offset, value) : device.write(region, offset, value);
    } catch (SystemCallException e) {
      DmaMappingException lost = gone();
      lost.initCause(e);
      throw lost;
    }
    if (!done) {
      throw gone();
    }
  }

  private DmaMappingException gone() {
    return new DmaMappingException(Reason.DETACHED, name + ": the registers do not answer: the device is gone, or its memory decoding is off; close it and open it again");
  }
}
