package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
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
  private @Nullable MemorySegment segment;
  private boolean window;
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
    claim();
    try {
      mapRange(phys, length, flags);
    } catch (RuntimeException e) {
      abandon();
      throw e;
    }
    this.direction = direction;
    activate();
    return this;
  }

  /** Map any segment with this idle handle; as {@link DmaMapper#map(MemorySegment, DmaDirection, int)}. */
  public DmaMapping map(MemorySegment segment, DmaDirection direction, int attributes) {
    int flags = requestFlags(direction, attributes);
    if (segment.byteSize() == 0) {
      throw new IllegalArgumentException(stack().device + ": an empty segment cannot be mapped");
    }
    claim();
    try {
      mapSegment(segment, flags);
    } catch (RuntimeException e) {
      abandon();
      throw e;
    }
    this.segment = segment;
    this.direction = direction;
    activate();
    return this;
  }

  private void mapRange(long phys, long length, int flags) {
    AttachedStack stack = stack();
    MemoryRegion region = pins().pin(stack, phys, length);
    int peer = 0;
    if (region.kind() == MemoryKind.PEER && stack.ops.classify(phys, length) == RangeKind.BRIDGE_PEER) {
      peer = MapFlags.PEER;
    }
    stack.ops.map(state(), phys, length, flags | peer, own());
    window = false;
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
      window = false;
      stack.ops.mapSegment(state(), segment, flags, own());
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
      throw new DmaMappingException(
          Reason.NOT_LINEAR,
          stack.device
              + ": the segment of "
              + segment.byteSize()
              + " bytes lies in scattered frames and this stack does not translate; use a transfer or contiguous memory");
    }
    stack.ops.reserve(state, phys[0] & (stack.granule - 1), segment.byteSize(), 0, -1L, flags);
    window = true;
    try {
      long offset = 0;
      for (int count = firstCount; count > 0; count = stack.memory.ranges(segment, offset, phys, length)) {
        for (int i = 0; i < count; i++) {
          pins().pin(stack, phys[i], length[i]);
        }
        stack.ops.linkRun(state, offset, phys, length, 0, count, flags, own());
        for (int i = 0; i < count; i++) {
          offset += length[i];
        }
      }
      stack.ops.publish(state, 0, segment.byteSize(), own());
    } catch (RuntimeException e) {
      stack.ops.release(state, own());
      throw e;
    }
    state.flags |= flags | MapFlags.NEEDS_UNMAP;
  }

  /** Return the address the device uses for the first byte. */
  public long dmaAddress() {
    requireActive();
    return state().dmaAddress;
  }

  /** Return the bytes mapped. */
  public long length() {
    requireActive();
    return state().length;
  }

  /** Return the direction it was mapped with. */
  public DmaDirection direction() {
    requireActive();
    DmaDirection mapped = direction;
    if (mapped == null) {
      throw new IllegalStateException("mapped without a direction");
    }
    return mapped;
  }

  /** Tell whether ownership must be moved by sync calls; without need they are free. */
  public boolean needsSync() {
    requireActive();
    return state().has(MapFlags.NEEDS_SYNC);
  }

  /** Tell whether unmap has work to do below; it is legal, and needed for the handle, in any case. */
  public boolean needsUnmap() {
    requireActive();
    return state().has(MapFlags.NEEDS_UNMAP);
  }

  /** Take bytes {@code offset .. offset + length} over from the device, so that the CPU reads what it wrote. */
  public void syncForCpu(long offset, long length) {
    syncPart(offset, length, DmaOps.TOWARD_CPU);
  }

  /** Hand bytes {@code offset .. offset + length} over to the device, so that it reads what the CPU wrote. */
  public void syncForDevice(long offset, long length) {
    syncPart(offset, length, DmaOps.TOWARD_DEVICE);
  }

  /**
   * Unmap and go idle; when this returns the memory is the caller's again.
   *
   * @throws IllegalStateException unless mapped
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from the memory
   */
  public void unmap() {
    unmapWith(null);
  }

  /** Unmap and go idle; the memory is the caller's again once {@code batch} completes. */
  public void unmap(InvalidationBatch batch) {
    unmapWith(batch);
  }

  private void unmapWith(@Nullable InvalidationBatch batch) {
    claimTeardown();
    try {
      MappingState state = state();
      if (window) {
        stack().ops.release(state, retirementOf(batch));
      } else if (state.has(MapFlags.NEEDS_UNMAP)) {
        stack().ops.unmap(state, retirementOf(batch));
      }
    } finally {
      finishTeardown(batch);
      Reference.reachabilityFence(segment);
      segment = null;
    }
  }

  @Override
  void tearDown() {
    unmapWith(null);
  }
}
