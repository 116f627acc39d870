package io.twostep.backend.direct;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Retirement;

/**
 * The primitives of one device that nothing translates for.
 *
 * <p>Stores nothing but addresses and flags in the state; what is behind a mapping is computed back from its DMA address. For a coherent device unmap and
 * sync have nothing to do, and say so.
 */
final class DirectOps implements DmaOps {
  private final String device;
  private final PhysicalMemory memory;
  private final OffsetWindows windows;
  private final long highest;
  private final long highestCoherent;
  private final long minAlignMask;
  private final boolean coherent;
  private final long lineMask;

  DirectOps(AttachContext context) {
    device = context.device();
    memory = context.machine().memory();
    windows = new OffsetWindows(context.space().name(), context.space().offsetWindows());
    highest = context.highestAddress();
    highestCoherent = lower(context.limits().highestCoherentAddress(), context.space().busLimit());
    minAlignMask = context.limits().minAlignMask();
    coherent = context.slot().coherent();
    lineMask = memory.cacheLine() - 1;
  }

  @Override
  public String device() {
    return device;
  }

  @Override
  public long granule() {
    return 1;
  }

  @Override
  public long unit() {
    return 1;
  }

  @Override
  public boolean translates() {
    return false;
  }

  /** Tell whether the range can be mapped in place by every kind of request but one that requires coherence. */
  @Override
  public boolean reaches(long phys, long length) {
    long dmaAddress = windows.dmaAddress(phys, length);
    return fits(dmaAddress, length, highest)
        && ((dmaAddress ^ phys) & minAlignMask) == 0
        && (coherent || ((phys | length) & lineMask) == 0);
  }

  /** Return LOCAL for ordinary memory; without a layer that knows the fabric, peers cannot be reached. */
  @Override
  public int classify(long phys, long length) {
    return memory.regionOf(phys, length).kind() == MemoryKind.RAM ? RangeKind.LOCAL : RangeKind.UNREACHABLE;
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    if ((flags & (MapFlags.PEER | MapFlags.OWNED)) == 0) {
      requireMemory(phys, length);
    }
    long dmaAddress = windows.dmaAddress(phys, length);
    long limit = (flags & MapFlags.COHERENT_MEMORY) == 0 ? highest : highestCoherent;
    if (!fits(dmaAddress, length, limit) || ((dmaAddress ^ phys) & minAlignMask) != 0) {
      throw unreachable(phys, length, dmaAddress, limit, flags);
    }
    int work = 0;
    if (!coherent && (flags & (MapFlags.COHERENT_MEMORY | MapFlags.PEER)) == 0) {
      requireOwnLines(phys, length, flags);
      memory.cleanCache(phys, length);
      work = MapFlags.NEEDS_SYNC | MapFlags.NEEDS_UNMAP;
    }
    state.dmaAddress = dmaAddress;
    state.length = length;
    state.allocated = 0;
    state.flags = flags | work;
  }

  @Override
  public int mapInPlace(long[] phys, long[] length, int from, int to, int flags, long[] dmaAddress) {
    if (!coherent) {
      return 0;
    }
    long limit = (flags & MapFlags.COHERENT_MEMORY) == 0 ? highest : highestCoherent;
    MemoryRegion region = MemoryRegion.ABSENT;
    for (int i = from; i < to; i++) {
      if (!region.spans(phys[i], length[i])) {
        region = memory.regionOf(phys[i], length[i]);
      }
      long address = windows.dmaAddress(phys[i], length[i]);
      if (region.kind() != MemoryKind.RAM || !fits(address, length[i], limit) || ((address ^ phys[i]) & minAlignMask) != 0) {
        return i - from;
      }
      dmaAddress[i] = address;
    }
    return to - from;
  }

  /** Take lines back when the batch completes: until then the memory is the device's. */
  @Override
  public void unmap(MappingState state, Retirement batch) {
    if (state.has(MapFlags.NEEDS_SYNC) && state.has(MapFlags.DEVICE_WRITES)) {
      batch.retire(Retirement.COPY_OUT, this, windows.phys(state.dmaAddress, state.length), state.length, 0);
    }
  }

  @Override
  public void retire(int phase, long phys, long length, long unused) {
    takeBack(phys, length);
  }

  /** Move whole cache lines: the mapping owns every line it touches, so rounding out touches nobody else. */
  @Override
  public void sync(MappingState state, long offset, long length, int toward) {
    if (!state.has(MapFlags.NEEDS_SYNC)) {
      return;
    }
    long phys = windows.phys(state.dmaAddress + offset, length);
    long first = phys & ~lineMask;
    long bytes = (phys + length - first + lineMask) & ~lineMask;
    if (toward == TOWARD_DEVICE) {
      // Also for a device that only writes: a dirty line would be written back over what it wrote.
      memory.cleanCache(first, bytes);
    } else if (state.has(MapFlags.DEVICE_WRITES)) {
      takeBack(first, bytes);
    }
  }

  /**
   * Drop lines, so that the CPU reads what the device wrote. Dirty ones are written back first: what the device owns has none, so one that is found is the CPU's, who took
   * the memory back and wrote it.
   */
  private void takeBack(long phys, long length) {
    memory.cleanCache(phys, length);
    memory.invalidateCache(phys, length);
  }

  @Override
  public long physOf(MappingState state, long offset) {
    return windows.phys(state.dmaAddress + offset, 1);
  }

  @Override
  public void reserve(
      MappingState state, long offsetInGranule, long length, long alignment, long highestIova, int flags) {
    throw noWindow();
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    throw noWindow();
  }

  @Override
  public void linkRun(
      MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    throw noWindow();
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    throw noWindow();
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    throw noWindow();
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    throw noWindow();
  }

  /** Do nothing: nothing is held for the device. */
  @Override
  public void close() {}

  private static boolean fits(long dmaAddress, long length, long limit) {
    long last = dmaAddress + (length - 1);
    return dmaAddress != OffsetWindows.NONE
        && Long.compareUnsigned(dmaAddress, last) <= 0
        && Long.compareUnsigned(last, limit) <= 0;
  }

  private static long lower(long a, long b) {
    return Long.compareUnsigned(a, b) < 0 ? a : b;
  }

  private void requireMemory(long phys, long length) {
    MemoryKind kind = memory.regionOf(phys, length).kind();
    if (kind != MemoryKind.RAM) {
      throw kind == MemoryKind.PEER
          ? refused(Reason.PEER_UNREACHABLE, phys, length, "it is a peer's memory and no layer of the stack reaches peers; add the p2p layer")
          : refused(Reason.NOT_BACKED, phys, length, "it is not, or not wholly, one piece of memory of this machine; allocate from memory()");
    }
  }

  private void requireOwnLines(long phys, long length, int flags) {
    if ((flags & DmaAttributes.REQUIRE_COHERENT) != 0) {
      throw refused(
          Reason.COHERENCE_REQUIRED, phys, length, "the device does not see CPU caches and the caller forbade maintaining them; use coherent memory");
    }
    if (((phys | length) & lineMask) != 0) {
      throw refused(
          Reason.COHERENCE_REQUIRED,
          phys,
          length,
          "the device does not see CPU caches and a cache line of 0x%x bytes is shared with memory outside the range; align both edges or add the swiotlb layer"
              .formatted(lineMask + 1));
    }
  }

  private DmaMappingException unreachable(long phys, long length, long dmaAddress, long limit, int flags) {
    if (dmaAddress == OffsetWindows.NONE && !windows.isIdentity()) {
      return refused(
          Reason.OUT_OF_REACH, phys, length, "no one offset window of the address space holds all of it; " + remedy(flags, "add the swiotlb layer"));
    }
    if (!fits(dmaAddress, length, limit)) {
      return refused(
          Reason.OUT_OF_REACH,
          phys,
          length,
          "DMA addresses 0x%x+0x%x lie beyond 0x%x, the highest that device and bus pass; %s"
              .formatted(dmaAddress, length, limit, remedy(flags, "allocate lower or add the swiotlb layer")));
    }
    return refused(
        Reason.MISALIGNED,
        phys,
        length,
        "DMA address 0x%x does not keep the low bits 0x%x that the device needs; %s"
            .formatted(dmaAddress, minAlignMask, remedy(flags, "add the swiotlb layer")));
  }

  /** Returns what helps, given what helps for memory that may be bounced. */
  private static String remedy(int flags, String bouncing) {
    if ((flags & MapFlags.PEER) != 0) {
      return "copy through host memory";
    }
    return (flags & MapFlags.COHERENT_MEMORY) != 0 ? "allocate it elsewhere" : bouncing;
  }

  private DmaMappingException refused(Reason reason, long phys, long length, String why) {
    return new DmaMappingException(reason, "%s: cannot map 0x%x+0x%x: %s".formatted(device, phys, length, why));
  }

  private DmaMappingException noWindow() {
    return new DmaMappingException(
        Reason.UNSUPPORTED, device + ": nothing translates for this device, so no I/O addresses can be reserved; use a transfer");
  }
}
