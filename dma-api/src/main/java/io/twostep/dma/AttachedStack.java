package io.twostep.dma;

import io.twostep.dma.count.HoldCount;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.PhysicalMemory;

/**
 * The ops of one device as one attach made them; lives until the mapper and everything bound to it let go.
 *
 * <p>A handle stays bound to the stack that made its mapping, so that a restack never pulls the ops from under it. Batches and quarantined memory hold it
 * too: what they owe is released through its ops.
 */
final class AttachedStack {
  final DmaOps ops;
  final int layers;
  final PhysicalMemory memory;
  final AddressSpace space;
  final String device;
  final long granule;
  final long unit;
  final boolean translates;

  /** The low bits of a physical address that its DMA address keeps, as a mask. */
  final long alignMask;

  /** The alignment to reserve windows with: 0, the natural one, unless the device wants more low bits kept than a granule has. */
  final long alignment;

  private final int granuleShift;

  /** Who composed the stack holds it once, until {@link #end}. */
  private final HoldCount holders = new HoldCount();

  AttachedStack(DmaOps ops, int layers, AttachContext context) {
    this.ops = ops;
    this.layers = layers;
    this.memory = context.machine().memory();
    this.space = context.space();
    this.device = context.device();
    this.granule = ops.granule();
    this.granuleShift = Long.numberOfTrailingZeros(granule);
    this.unit = ops.unit();
    this.translates = ops.translates();
    long minAlignMask = context.limits().minAlignMask();
    this.alignMask = Math.max(granule - 1, minAlignMask);
    this.alignment = minAlignMask > granule - 1 ? minAlignMask + 1 : 0;
    hold();
  }

  /** Return how many granules a range touches. */
  long granules(long address, long length) {
    return ((address & (granule - 1)) + length + (granule - 1)) >>> granuleShift;
  }

  /** Return where in its granule a window for {@code phys} starts. */
  long offsetInGranule(long phys) {
    return phys & (granule - 1);
  }

  /** Return the bytes in whole granules to skip at the start of an aligned window, so that it keeps all low bits of {@code phys} that it must. */
  long skipped(long phys) {
    return phys & alignMask & -granule;
  }

  /** Hold the stack; false if its last holder is gone. */
  boolean tryHold() {
    return holders.tryAdd(1) || holders.tryAddToHeld();
  }

  /** Hold the stack for somebody else, on behalf of a holder. */
  void hold() {
    if (!tryHold()) {
      throw new IllegalStateException(device + ": the stack is closed");
    }
  }

  /** Tell whether the last holder is gone. */
  boolean isClosed() {
    return holders.sum() == 0;
  }

  void letGo() {
    if (!holders.tryRemove(1)) {
      throw new IllegalStateException(device + ": the stack is let go of more often than held");
    }
  }

  /** Let go for who composed the stack, once: it closes as soon as nobody holds it any more. */
  void end() {
    holders.close(this::close);
    letGo();
  }

  private void close() {
    try {
      ops.close();
    } finally {
      space.owner().release();
    }
  }
}
