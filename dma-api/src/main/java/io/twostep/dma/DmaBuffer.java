package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Memory that CPU and device see alike without sync: for queues, rings and descriptor lists.
 *
 * <p>Zeroed; CPU and DMA address are aligned to the smallest power of two of frames that holds it; shares no granule with anything else. May be used by any
 * thread; the order of accesses is the user's concern. {@link #close} frees it: the device must be done with it.
 */
public final class DmaBuffer extends DmaHandle {
  private static final int FLAGS =
      MapFlags.ACCESS | MapFlags.COHERENT_MEMORY | MapFlags.OWNED | MapFlags.STRICT | DmaAttributes.REQUIRE_COHERENT;

  private final long length;
  private @Nullable MemoryBlock block;
  private @Nullable MemorySegment segment;
  private boolean window;

  private DmaBuffer(DmaMapper mapper, long length) {
    super(mapper);
    this.length = length;
  }

  static DmaBuffer allocate(DmaMapper mapper, long size) {
    if (size <= 0 || size > Long.MAX_VALUE >> 1) {
      mapper.currentStack().ops.refused(null, size <= 0 ? Misuse.BAD_LENGTH : Misuse.WRAPS, "allocateCoherent", 0, size);
      throw new IllegalArgumentException(mapper.slot().address() + ": size " + size + " of a coherent buffer must be positive");
    }
    DmaBuffer buffer = new DmaBuffer(mapper, size);
    try {
      buffer.allocate();
      return buffer;
    } catch (RuntimeException e) {
      buffer.close();
      throw e;
    }
  }

  private void allocate() {
    try {
      allocateBelow(-1L);
    } catch (DmaMappingException e) {
      if (e.reason() != Reason.OUT_OF_REACH) {
        throw e;
      }
      allocateBelow(highestPhys());
    }
  }

  /** Return the highest physical address that can be expected to lie within the device's coherent reach. */
  private long highestPhys() {
    long reach = mapper().deviceLimits().highestCoherentAddress();
    if (stack().space.offsetWindows().isEmpty()) {
      return reach;
    }
    long highest = 0;
    for (OffsetWindow offsetWindow : stack().space.offsetWindows()) {
      if (Long.compareUnsigned(reach, offsetWindow.firstDmaAddress()) >= 0) {
        long beyond = reach - offsetWindow.firstDmaAddress();
        long last = offsetWindow.length() - 1;
        long phys = offsetWindow.firstPhys() + (Long.compareUnsigned(beyond, last) < 0 ? beyond : last);
        highest = Long.compareUnsigned(phys, highest) > 0 ? phys : highest;
      }
    }
    return highest;
  }

  private void allocateBelow(long highestPhys) {
    claim("allocateCoherent");
    try {
      AttachedStack stack = stack();
      long granule = Math.max(stack.granule, stack.memory.frameSize());
      long whole = length + granule - 1 & -granule;
      MemoryPlacement placement = mapper().slot().coherent() ? MemoryPlacement.CONTIGUOUS : MemoryPlacement.COHERENT;
      block = memory(stack, whole, placement, highestPhys);
      segment = block.segment().asSlice(0, length);
      map(block.phys(0), whole);
    } catch (RuntimeException e) {
      abandon(e);
      closeBlock();
      throw e;
    }
    activate();
  }

  private static MemoryBlock memory(AttachedStack stack, long whole, MemoryPlacement placement, long highestPhys) {
    try {
      return stack.memory.allocate(whole, placement, highestPhys);
    } catch (DmaMappingException e) {
      // The machine does not know for which device it was asked; the reason is added to the message once.
      String why = String.valueOf(e.getMessage()).replace(" [" + e.reason() + "]", "");
      throw new DmaMappingException(e.reason(), stack.device + ": coherent memory: " + why, e);
    }
  }

  private void map(long phys, long whole) {
    AttachedStack stack = stack();
    pins().pin(stack, phys, whole);
    DeviceLimits limits = mapper().deviceLimits();
    long highest = limits.highestCoherentAddress();
    // Only a window can be asked to lie below an address of the caller's choosing.
    window = stack.translates && Long.compareUnsigned(highest, limits.highestAddress()) < 0;
    if (window) {
      stack.ops.reserve(state(), 0, whole, 0, highest, FLAGS);
    } else {
      stack.ops.map(state(), phys, whole, FLAGS, own());
    }
    try {
      if (window) {
        stack.ops.link(state(), 0, phys, whole, FLAGS, own());
        stack.ops.publish(state(), 0, whole, own());
      }
      requireCoherent(whole, highest);
    } catch (RuntimeException e) {
      join(e, takeDownState(window, own()));
      throw e;
    }
  }

  private void requireCoherent(long whole, long highest) {
    if (Long.compareUnsigned(state().dmaAddress + (whole - 1), highest) > 0) {
      throw new DmaMappingException(
          Reason.OUT_OF_REACH,
          stack().device
              + ": coherent memory at "
              + Hex.range(state().dmaAddress, whole)
              + " lies above "
              + Hex.of(highest)
              + ", the highest coherent address of the device");
    }
    if (state().has(MapFlags.NEEDS_SYNC)) {
      throw new DmaMappingException(
          Reason.COHERENCE_REQUIRED, stack().device + ": this stack cannot offer memory that needs no sync");
    }
  }

  /** Return the CPU's view, exactly {@link #length} bytes. */
  public MemorySegment segment() {
    requireActive("segment");
    MemorySegment view = segment;
    if (view == null) {
      throw new IllegalStateException("allocated without a segment");
    }
    return view;
  }

  /** Return the address the device uses for the first byte. */
  public long dmaAddress() {
    requireActive("dmaAddress");
    return state().dmaAddress;
  }

  /** Return the bytes asked for. */
  public long length() {
    return length;
  }

  @Override
  @Nullable RuntimeException takeDown(Retirement retirement) {
    return takeDownState(window, retirement);
  }

  @Override
  void ended() {
    closeBlock();
  }

  private void closeBlock() {
    MemoryBlock memory = block;
    block = null;
    segment = null;
    if (memory != null) {
      try {
        memory.close();
      } catch (IllegalStateException e) {
        mapper().quarantine().closeLater(memory);
      }
    }
  }
}
