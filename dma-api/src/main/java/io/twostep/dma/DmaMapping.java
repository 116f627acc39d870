package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One range mapped for one device.
 *
 * <p>While mapped, the memory belongs to the device until {@link #unmap} or {@link #syncForCpu}. Knows its length, direction and attributes: teardown takes none. Used by
 * one thread at a time; reusable after {@link #unmap}; a warm handle allocates nothing.
 */
public final class DmaMapping extends DmaHandle {
  private static final int SEGMENT_RUN = 64;

  private @Nullable DmaDirection direction;
  /** Kept so that the segment stays reachable while the device uses it. */
  @SuppressWarnings("unused")
  private @Nullable MemorySegment segment;

  private long length;
  private boolean window;

  /** Offset of the first byte in the window below, if there is one: granules that only keep low bits of addresses are never linked. */
  private long skipped;

  private long @Nullable [] runPhys;
  private long @Nullable [] runLength;

  DmaMapping(DmaMapper mapper) {
    super(mapper);
  }

  /**
   * Map a physical range with this idle handle.
   *
   * @param phys first byte, memory of this machine
   * @param length bytes, positive
   * @param attributes {@link DmaAttributes}
   * @return this
   * @throws DmaMappingException if the range cannot be mapped; the handle stays idle
   * @throws IllegalStateException unless idle
   */
  public DmaMapping map(long phys, long length, DmaDirection direction, int attributes) {
    int flags = requestFlags(direction, attributes);
    requirePhysRange(phys, length);
    claim("map");
    try {
      mapRange(phys, length, flags);
    } catch (RuntimeException e) {
      abandon(e);
      throw e;
    }
    this.direction = direction;
    this.length = length;
    activate();
    return this;
  }

  /** Map any segment with this idle handle; as {@link DmaMapper#map(MemorySegment, DmaDirection, int)}. */
  public DmaMapping map(MemorySegment segment, DmaDirection direction, int attributes) {
    int flags = requestFlags(direction, attributes);
    if (segment.byteSize() == 0) {
      throw new IllegalArgumentException(stack().device + ": an empty segment cannot be mapped");
    }
    if (segment.isReadOnly() && (flags & MapFlags.DEVICE_WRITES) != 0) {
      throw new IllegalArgumentException(
          stack().device
              + ": a read-only segment of "
              + Hex.of(segment.byteSize())
              + " bytes cannot be mapped for a device that writes it; map it TO_DEVICE");
    }
    claim("map");
    try {
      mapSegment(segment, flags);
    } catch (RuntimeException e) {
      abandon(e);
      throw e;
    }
    this.segment = segment;
    this.length = segment.byteSize();
    this.direction = direction;
    activate();
    return this;
  }

  private void mapRange(long phys, long length, int flags) {
    AttachedStack stack = stack();
    MemoryRegion region = pins().pin(stack, phys, length);
    int kind = RangeKind.LOCAL;
    if (region.kind() == MemoryKind.PEER) {
      kind = stack.ops.classify(phys, length);
      pins().found(stack, kind);
    }
    if (kind == RangeKind.UNREACHABLE) {
      throw LinkableMemory.unreachable(stack, phys, length);
    }
    stack.ops.map(state(), phys, length, RequestMapper.withKind(flags, kind), own());
    window = false;
    skipped = 0;
  }

  private void mapSegment(MemorySegment segment, int flags) {
    AttachedStack stack = stack();
    long[] phys = runPhys;
    long[] length = runLength;
    if (phys == null || length == null) {
      phys = new long[SEGMENT_RUN];
      length = new long[SEGMENT_RUN];
      runPhys = phys;
      runLength = length;
    }
    int count = stack.memory.ranges(segment, 0, phys, length);
    if (count < 0) {
      stack.ops.mapSegment(state(), segment, flags, own());
      window = false;
      skipped = 0;
    } else if (length[0] == segment.byteSize()) {
      mapRange(phys[0], length[0], flags);
    } else {
      mapScattered(segment, phys, length, count, flags);
    }
  }

  /** Give one DMA range to machine memory whose frames are scattered: a window with everything linked. */
  private void mapScattered(MemorySegment segment, long[] phys, long[] length, int firstCount, int flags) {
    AttachedStack stack = stack();
    MappingState state = state();
    if (!stack.translates) {
      throw notLinear(segment, "this stack does not translate");
    }
    long bytes = segment.byteSize();
    skipped = stack.skipped(phys[0]);
    stack.ops.reserve(state, stack.offsetInGranule(phys[0]), skipped + bytes, stack.alignment, -1L, flags);
    try {
      long offset = 0;
      for (int count = firstCount; count > 0; count = stack.memory.ranges(segment, offset, phys, length)) {
        offset = linkFrames(segment, phys, length, count, offset, flags);
      }
      stack.ops.publish(state, skipped, bytes, own());
    } catch (RuntimeException e) {
      join(e, takeDownState(true, own()));
      throw e;
    }
    state.flags |= flags | MapFlags.NEEDS_UNMAP;
    window = true;
  }

  private long linkFrames(MemorySegment segment, long[] phys, long[] length, int count, long from, int flags) {
    AttachedStack stack = stack();
    int kindFlags = 0;
    long offset = from;
    for (int i = 0; i < count; i++) {
      if ((state().dmaAddress + skipped + offset - phys[i] & stack.alignMask) != 0) {
        throw notLinear(segment, "its frames are smaller than what the device must see in one piece");
      }
      kindFlags |= LinkableMemory.pin(this, phys[i], length[i]);
      offset += length[i];
    }
    stack.ops.linkRun(state(), skipped + from, phys, length, 0, count, flags | kindFlags, own());
    return offset;
  }

  private DmaMappingException notLinear(MemorySegment segment, String why) {
    return new DmaMappingException(
        Reason.NOT_LINEAR,
        stack().device
            + ": the segment of "
            + Hex.of(segment.byteSize())
            + " bytes lies in scattered frames and "
            + why
            + "; use a transfer or contiguous memory");
  }

  /** Return the address the device uses for the first byte. */
  public long dmaAddress() {
    requireActive("dmaAddress");
    return state().dmaAddress + skipped;
  }

  /** Return the bytes mapped. */
  public long length() {
    requireActive("length");
    return length;
  }

  /** Return the direction it was mapped with. */
  public DmaDirection direction() {
    requireActive("direction");
    DmaDirection mapped = direction;
    if (mapped == null) {
      throw new IllegalStateException("mapped without a direction");
    }
    return mapped;
  }

  /** Tell whether ownership must be moved by sync calls; without need they are free. */
  public boolean needsSync() {
    requireActive("needsSync");
    return state().has(MapFlags.NEEDS_SYNC);
  }

  /** Tell whether unmap has work to do below; it is legal, and needed for the handle, in any case. */
  public boolean needsUnmap() {
    requireActive("needsUnmap");
    return state().has(MapFlags.NEEDS_UNMAP);
  }

  /**
   * Take bytes {@code offset .. offset + length} over from the device, so that the CPU reads what it wrote.
   *
   * @param offset bytes from the first one mapped; any byte
   * @param length bytes, positive
   * @throws IllegalArgumentException for a part outside the mapping
   * @throws IllegalStateException unless mapped
   * @throws DmaMappingException DETACHED after detach; REVOKED if the memory was taken back
   */
  public void syncForCpu(long offset, long length) {
    syncPart(skipped, offset, length, this.length, DmaOps.TOWARD_CPU);
  }

  /** Hand bytes {@code offset .. offset + length} over to the device, so that it reads what the CPU wrote; as {@link #syncForCpu}. */
  public void syncForDevice(long offset, long length) {
    syncPart(skipped, offset, length, this.length, DmaOps.TOWARD_DEVICE);
  }

  /**
   * Unmap and go idle; when this returns the memory is the caller's again.
   *
   * @throws IllegalStateException unless mapped
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from the memory
   */
  public void unmap() {
    tearDownWith("unmap", null);
  }

  /**
   * Unmap and go idle; the memory is the caller's again once {@code batch} completes. What may be taken back by its owner is unmapped at once, as without a batch.
   *
   * @throws IllegalStateException unless mapped, or if the batch holds work of another address space; the mapping stays as it is then
   */
  public void unmap(InvalidationBatch batch) {
    tearDownWith("unmap", batch);
  }

  @Override
  @Nullable RuntimeException takeDown(Retirement retirement) {
    RuntimeException failure = takeDownState(window, retirement);
    segment = null;
    return failure;
  }
}
