package io.twostep.machine.model.memory;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PeerRange;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The BARs in the physical address space, and the parts of them that are published as peer memory.
 *
 * <p>Thread-safe: changes replace the arrays that readers see. A published part outlives its BAR until it is withdrawn, so that what it was taken from stays known.
 */
public final class MmioMap {
  private volatile Window[] windows = {};
  private volatile Window[] published = {};

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

  /**
   * Publish a part of a BAR.
   *
   * @throws IllegalArgumentException if a part of it is published already
   */
  public synchronized void publish(MemoryRegion region, PeerRange range) {
    List<Window> all = new ArrayList<>(List.of(published));
    for (Window other : all) {
      if (range.phys() < other.phys + other.length && other.phys < range.phys() + range.length()) {
        throw new IllegalArgumentException(range + " overlaps " + other.region + ", which is published already; withdraw that first");
      }
    }
    all.add(new Window(range.phys(), range.length(), region, null));
    published = all.toArray(new Window[0]);
  }

  /** Withdraw what was published as a region. */
  public synchronized void withdraw(MemoryRegion region) {
    List<Window> all = new ArrayList<>(List.of(published));
    all.removeIf(w -> w.region == region);
    published = all.toArray(new Window[0]);
  }

  /** Return the published parts of a function's BARs. */
  public List<PeerRange> publishedOf(DeviceSlot provider) {
    List<PeerRange> ranges = new ArrayList<>();
    for (Window window : published) {
      PeerRange range = window.region.peer();
      if (range != null && range.provider() == provider) {
        ranges.add(range);
      }
    }
    return ranges;
  }

  MemoryRegion regionOf(long phys, long length) {
    Window window = find(published, phys, length);
    if (window == null) {
      window = find(windows, phys, length);
    }
    return window == null ? MemoryRegion.ABSENT : window.region;
  }

  /** Return the bytes behind a range, null unless a memory BAR holds it. */
  @Nullable MemorySegment memory(long phys, long length) {
    Window window = find(windows, phys, length);
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

  private static @Nullable Window find(Window[] among, long phys, long length) {
    for (Window window : among) {
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
