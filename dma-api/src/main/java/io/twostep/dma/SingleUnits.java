package io.twostep.dma;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PhysicalMemory;

/**
 * The short way for the unit that comes or goes alone, as a device's page fault has it: ordinary memory, behind translation.
 *
 * <p>Makes no lists and keeps no account of pins, because one unit holds one region once. What it does not know it leaves alone, for {@link SparseWindow} to do or to refuse.
 */
final class SingleUnits {
  private final WindowUnits units;
  private final DmaOps ops;
  private final PhysicalMemory memory;
  private final MappingState state;
  private final long address;
  private final long lastUnit;
  private final long unit;

  SingleUnits(SparseWindow window, WindowUnits units) {
    this.units = units;
    AttachedStack stack = window.stack();
    ops = stack.ops;
    memory = stack.memory;
    state = window.state();
    address = state.dmaAddress;
    unit = units.unit();
    lastUnit = units.length() - unit;
  }

  /** Link one unit of memory that nobody can take back; false, with nothing changed, if the range is anything else. */
  boolean tryLink(long offset, long phys, long bytes, int flags) {
    if (!isUnit(offset, bytes) || (phys & (unit - 1)) != 0) {
      return false;
    }
    MemoryRegion region = memory.regionOf(phys, bytes);
    if (region.kind() != MemoryKind.RAM || region.revocable() != null || !region.tryPin()) {
      return false;
    }
    WindowScratch scratch = WindowScratch.take();
    boolean linked = false;
    try {
      ops.link(state, offset, phys, bytes, flags, scratch.retirement);
      linked = true;
      ops.publish(state, offset, bytes, scratch.retirement);
      return true;
    } catch (RuntimeException e) {
      if (!linked) {
        scratch.pins.adopt(region, 1, null, 0);
      }
      scratch.linkedTo = linked ? offset + bytes : offset;
      units.undoLink(scratch, offset, e);
      throw e;
    } finally {
      scratch.giveBack();
    }
  }

  /** Return the I/O address of a byte of the window. */
  long address(long offset) {
    return address + offset;
  }

  /** Unlink one linked unit of memory that nobody can take back, and let go of it once the device is proved away; false, with nothing changed, if the range is anything else. */
  boolean tryUnlink(long offset, long bytes) {
    if (!isUnit(offset, bytes)) {
      return false;
    }
    long phys = ops.physOf(state, offset);
    if (phys == DmaOps.ABSENT) {
      return false;
    }
    MemoryRegion region = memory.regionOf(phys, bytes);
    if (region.revocable() != null) {
      return false;
    }
    WindowScratch scratch = WindowScratch.take();
    boolean cleared = false;
    try {
      ops.unlink(state, offset, bytes, scratch.retirement);
      cleared = true;
      scratch.retirement.complete();
    } catch (RuntimeException e) {
      if (cleared) {
        scratch.pins.adopt(region, 1, null, 0);
        // Not completed a second time: who is told that the device could not be proved away must find the memory withheld.
        units.withhold(scratch);
        scratch.pins.releaseAll();
      } else {
        units.settle(scratch, e);
      }
      throw e;
    } finally {
      scratch.giveBack();
    }
    region.unpin();
    return true;
  }

  private boolean isUnit(long offset, long bytes) {
    // One decision: each term is negative, or not zero, where one thing is wrong.
    return ((bytes ^ unit) | (offset & (unit - 1)) | ((offset | (lastUnit - offset)) & Long.MIN_VALUE)) == 0;
  }
}
