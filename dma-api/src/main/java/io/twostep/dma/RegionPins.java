package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The memory regions one handle holds, each once, so that no block closes below a device.
 *
 * <p>Ranges of one request mostly lie in one region: the last one is remembered and costs a comparison.
 */
final class RegionPins {
  private @Nullable MemoryRegion[] held = new MemoryRegion[2];
  private int count;
  private @Nullable MemoryRegion latest;

  /** Hold the region of a range and return it. */
  MemoryRegion pin(AttachedStack stack, long phys, long length) {
    MemoryRegion region = stack.memory.regionOf(phys, length);
    if (region == latest) {
      return region;
    }
    return pinOther(stack, region, phys, length);
  }

  private MemoryRegion pinOther(AttachedStack stack, MemoryRegion region, long phys, long length) {
    if (region.kind() == MemoryKind.ABSENT || region.kind() == MemoryKind.MMIO) {
      throw new DmaMappingException(
          Reason.NOT_BACKED,
          stack.device
              + ": "
              + Hex.range(phys, length)
              + " is "
              + (region.kind() == MemoryKind.MMIO ? "device registers, not memory" : "not, or not wholly, one piece of memory of this machine")
              + "; allocate from memory()");
    }
    for (int i = 0; i < count; i++) {
      if (held[i] == region) {
        latest = region;
        return region;
      }
    }
    if (!region.tryPin()) {
      throw new DmaMappingException(
          Reason.NOT_BACKED, stack.device + ": " + Hex.range(phys, length) + " lies in " + region + ", which is closed");
    }
    if (count == held.length) {
      held = Arrays.copyOf(held, count * 2);
    }
    held[count++] = region;
    latest = region;
    return region;
  }

  /** Take over a pin that somebody else made. */
  void adopt(MemoryRegion region) {
    if (count == held.length) {
      held = Arrays.copyOf(held, count * 2);
    }
    held[count++] = region;
  }

  /** Return a mark to {@link #releaseTo} when a call fails. */
  int mark() {
    return count;
  }

  /** Let go of everything pinned since the mark. */
  void releaseTo(int mark) {
    while (count > mark) {
      MemoryRegion region = held[--count];
      held[count] = null;
      if (region != null) {
        region.unpin();
      }
    }
    latest = count == 0 ? null : held[count - 1];
  }

  void releaseAll() {
    releaseTo(0);
  }

  /** Forget what is held without letting go: the device may still reach it. */
  void keepForever() {
    Arrays.fill(held, 0, count, null);
    count = 0;
    latest = null;
  }

  /** Hand everything over to a batch, which lets go once it is complete. */
  void moveTo(InvalidationBatch batch) {
    for (int i = 0; i < count; i++) {
      MemoryRegion region = held[i];
      if (region != null) {
        batch.hold(region);
      }
      held[i] = null;
    }
    count = 0;
    latest = null;
  }
}
