package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Retirement;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Memory that CPU and device see alike without sync: for queues, rings and descriptor lists.
 *
 * <p>Zeroed; CPU and DMA address are aligned to the smallest power of two of frames that holds it; shares no granule with anything else. Thread-safe; the
 * order of accesses is the user's concern.
 */
public final class DmaBuffer implements AutoCloseable {
  private final DmaMapper mapper;
  private final AttachedStack stack;
  private final MemoryBlock block;
  private final MappingState state;
  private final long length;
  private final AtomicBoolean closed = new AtomicBoolean();

  private DmaBuffer(DmaMapper mapper, AttachedStack stack, MemoryBlock block, MappingState state, long length) {
    this.mapper = mapper;
    this.stack = stack;
    this.block = block;
    this.state = state;
    this.length = length;
  }

  static DmaBuffer allocate(DmaMapper mapper, long size) {
    if (size <= 0) {
      throw new IllegalArgumentException(mapper.slot().address() + ": size " + size + " of a coherent buffer must be positive");
    }
    AttachedStack stack = mapper.holdStack();
    try {
      stack.requireAttached();
      return allocateOn(mapper, stack, size);
    } catch (RuntimeException e) {
      stack.letGo();
      throw e;
    }
  }

  private static DmaBuffer allocateOn(DmaMapper mapper, AttachedStack stack, long size) {
    try {
      return allocateBelow(mapper, stack, size, -1L);
    } catch (DmaMappingException e) {
      if (e.reason() != Reason.OUT_OF_REACH) {
        throw e;
      }
      return allocateBelow(mapper, stack, size, mapper.deviceLimits().highestCoherentAddress());
    }
  }

  private static DmaBuffer allocateBelow(DmaMapper mapper, AttachedStack stack, long size, long highestPhys) {
    long granule = Math.max(stack.granule, stack.memory.frameSize());
    long whole = Math.addExact(size, granule - 1) & -granule;
    MemoryPlacement placement = mapper.slot().coherent() ? MemoryPlacement.CONTIGUOUS : MemoryPlacement.COHERENT;
    MemoryBlock block = stack.memory.allocate(whole, placement, highestPhys);
    MappingState state = new MappingState(stack.layers);
    Retirement undo = new Retirement();
    try {
      int flags = MapFlags.ACCESS | MapFlags.COHERENT_MEMORY | MapFlags.OWNED | MapFlags.STRICT | DmaAttributes.REQUIRE_COHERENT;
      stack.ops.map(state, block.phys(0), whole, flags, undo);
    } catch (RuntimeException e) {
      undo.complete();
      block.close();
      throw e;
    }
    return new DmaBuffer(mapper, stack, block, state, size);
  }

  /** Return the CPU's view, exactly {@link #length} bytes. */
  public MemorySegment segment() {
    return block.segment().asSlice(0, length);
  }

  /** Return the address the device uses for the first byte. */
  public long dmaAddress() {
    return state.dmaAddress;
  }

  /** Return the bytes asked for. */
  public long length() {
    return length;
  }

  /**
   * Unmap and free; may be repeated. The device must be done with the buffer.
   *
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from the memory, which then stays held
   */
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    try {
      if (state.has(MapFlags.NEEDS_UNMAP)) {
        Retirement retirement = new Retirement();
        stack.ops.unmap(state, retirement);
        retirement.complete();
      }
      block.close();
    } catch (DmaMappingException e) {
      mapper.handles().addQuarantined(1);
      throw e;
    } finally {
      stack.letGo();
    }
  }
}
