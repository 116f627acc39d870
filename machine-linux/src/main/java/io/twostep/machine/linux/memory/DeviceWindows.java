package io.twostep.machine.linux.memory;

import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import org.jspecify.annotations.Nullable;

/**
 * The mapped BARs of devices by process address, and what of them is published. Thread-safe: looked up without a lock in arrays that are replaced whole.
 */
public final class DeviceWindows {
  private static final Window[] EMPTY = {};

  private volatile Window[] windows = EMPTY;

  private record Window(long first, long length, MemoryRegion region, @Nullable MemorySegment memory) {
    boolean holds(long phys, long bytes) {
      long offset = phys - first;
      return Long.compareUnsigned(offset, length) < 0 && bytes > 0 && bytes <= length - offset;
    }
  }

  /** Add a mapped BAR. */
  public void add(MemorySegment mapped, String name) {
    insert(new Window(mapped.address(), mapped.byteSize(), new MemoryRegion(MemoryKind.MMIO, name), mapped));
  }

  /**
   * Add a published part of a mapped BAR, in front of it.
   *
   * @throws IllegalArgumentException if a part of it is published already
   */
  public synchronized void publish(long first, long length, MemoryRegion region) {
    for (Window window : windows) {
      if (window.memory == null && first < window.first + window.length && window.first < first + length) {
        throw new IllegalArgumentException(region.name() + ": a part of it is published already, as " + window.region.name());
      }
    }
    insert(new Window(first, length, region, null));
  }

  /** Take out a BAR, and what of it is published. */
  public synchronized void remove(long first, long length) {
    windows = Arrays.stream(windows).filter(w -> Long.compareUnsigned(w.first - first, length) >= 0).toArray(Window[]::new);
  }

  /** Take out a published part. */
  public synchronized void withdraw(MemoryRegion region) {
    windows = Arrays.stream(windows).filter(w -> w.region != region).toArray(Window[]::new);
  }

  private synchronized void insert(Window added) {
    Window[] more = Arrays.copyOf(windows, windows.length + 1);
    more[windows.length] = added;
    // Published parts come first: they are what a range is, whatever lies around them.
    Arrays.sort(more, Comparator.comparing(w -> w.memory != null));
    windows = more;
  }

  MemoryRegion regionOf(long phys, long length) {
    for (Window window : windows) {
      if (window.holds(phys, length)) {
        return window.region;
      }
    }
    return MemoryRegion.ABSENT;
  }

  /** Return the mapped bytes of a range, null if no BAR is mapped there. */
  @Nullable MemorySegment segment(long phys, long length) {
    for (Window window : windows) {
      if (window.memory != null && window.holds(phys, length)) {
        return window.memory.asSlice(phys - window.first, length);
      }
    }
    return null;
  }
}
