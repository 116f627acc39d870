package io.twostep.machine.model.memory;

import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The BARs in the physical address space. Thread-safe: changes replace the array that readers see. */
public final class MmioMap {
  private volatile Window[] windows = {};

  /** Add a BAR; {@code memory} is null for registers. Returns its region. */
  public synchronized MemoryRegion add(long phys, long length, String name, @Nullable MemorySegment memory) {
    MemoryRegion region = new MemoryRegion(MemoryKind.MMIO, name);
    List<Window> all = new ArrayList<>(List.of(windows));
    all.add(new Window(phys, length, region, memory));
    windows = all.toArray(new Window[0]);
    return region;
  }

  /** Remove the BAR at {@code phys}. */
  public synchronized void remove(long phys) {
    List<Window> all = new ArrayList<>(List.of(windows));
    all.removeIf(w -> w.phys == phys);
    windows = all.toArray(new Window[0]);
  }

  MemoryRegion regionOf(long phys, long length) {
    Window window = find(phys, length);
    return window == null ? MemoryRegion.ABSENT : window.region;
  }

  /** Return the bytes behind a range, null unless a memory BAR holds it. */
  @Nullable MemorySegment memory(long phys, long length) {
    Window window = find(phys, length);
    return window == null || window.memory == null ? null : window.memory.asSlice(phys - window.phys, length);
  }

  /** Return the physical address behind a CPU address, or -1 unless a memory BAR holds the range. */
  long physOf(long address, long length) {
    for (Window window : windows) {
      if (window.memory != null && window.memory.isNative()) {
        long offset = address - window.memory.address();
        if (offset >= 0 && offset < window.length && length <= window.length - offset) {
          return window.phys + offset;
        }
      }
    }
    return -1;
  }

  private @Nullable Window find(long phys, long length) {
    for (Window window : windows) {
      long offset = phys - window.phys;
      if (offset >= 0 && offset < window.length && length <= window.length - offset) {
        return window;
      }
    }
    return null;
  }

  private static final class Window {
    final long phys;
    final long length;
    final MemoryRegion region;
    final @Nullable MemorySegment memory;

    Window(long phys, long length, MemoryRegion region, @Nullable MemorySegment memory) {
      this.phys = phys;
      this.length = length;
      this.region = region;
      this.memory = memory;
    }
  }
}
