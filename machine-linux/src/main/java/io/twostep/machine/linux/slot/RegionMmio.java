package io.twostep.machine.linux.slot;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.twostep.dma.spi.Mmio;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.vfio.VfioDevice;
import io.twostep.machine.linux.vfio.VfioRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The registers of a BAR that cannot be mapped whole, each access a system call. Thread-safe.
 *
 * <p>From a device that does not answer reads return all ones, writes to it are lost, and each such access is told to whoever made this.
 */
final class RegionMmio implements Mmio {
  private final VfioDevice device;
  private final VfioRegion region;
  private final String name;
  private final Consumer<@Nullable SystemCallException> lost;

  RegionMmio(VfioDevice device, VfioRegion region, String name, Consumer<@Nullable SystemCallException> lost) {
    this.device = device;
    this.region = region;
    this.name = name;
    this.lost = lost;
  }

  @Override
  public long length() {
    return region.length();
  }

  @Override
  public int read32(long offset) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_INT);
      return tryAccess(offset, value, true) ? value.get(JAVA_INT, 0) : -1;
    }
  }

  @Override
  public long read64(long offset) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_LONG);
      return tryAccess(offset, value, true) ? value.get(JAVA_LONG, 0) : -1;
    }
  }

  @Override
  public void write32(long offset, int value) {
    try (Arena arena = Arena.ofConfined()) {
      tryAccess(offset, arena.allocateFrom(JAVA_INT, value), false);
    }
  }

  @Override
  public void write64(long offset, long value) {
    try (Arena arena = Arena.ofConfined()) {
      tryAccess(offset, arena.allocateFrom(JAVA_LONG, value), false);
    }
  }

  private boolean tryAccess(long offset, MemorySegment value, boolean read) {
    long width = value.byteSize();
    if (offset < 0 || offset > region.length() - width || (offset & (width - 1)) != 0) {
      throw new IndexOutOfBoundsException(
          "%s: access of %d bytes at 0x%x is not aligned, or not within 0x%x bytes".formatted(name, width, offset, region.length()));
    }
    SystemCallException cause = null;
    try {
      if (read ? device.read(region, offset, value) : device.write(region, offset, value)) {
        return true;
      }
    } catch (SystemCallException e) {
      cause = e;
    }
    lost.accept(cause);
    return false;
  }
}
