package com.example.aperture;

import static com.example.aperture.Aperture.GRANULE;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Retirement;

/**
 * One device's primitives over an aperture.
 *
 * <p>A window starts on a boundary that keeps all low bits the device wants kept, so that it is found again from the address the device was given.
 */
final class ApertureOps implements DmaOps {
  private static final long ADDRESS = -GRANULE;

  private final Aperture aperture;
  private final PhysicalMemory memory;
  private final Runnable onClose;
  private final String device;
  private final boolean untrusted;
  private final long lowBits;
  private final long highest;
  private final long highestCoherent;

  ApertureOps(AttachContext context, Aperture aperture, Runnable onClose) {
    this.aperture = aperture;
    this.onClose = onClose;
    memory = context.machine().memory();
    device = context.device();
    untrusted = context.untrusted();
    lowBits = Math.max(GRANULE - 1, context.limits().minAlignMask());
    highest = context.highestAddress();
    highestCoherent = lower(context.limits().highestCoherentAddress(), context.space().busLimit());
  }

  @Override
  public String device() {
    return device;
  }

  @Override
  public long granule() {
    return GRANULE;
  }

  @Override
  public long unit() {
    return GRANULE;
  }

  @Override
  public boolean translates() {
    return true;
  }

  @Override
  public long maxMappingLength() {
    return aperture.size / 2;
  }

  @Override
  public boolean reaches(long phys, long length) {
    return fits(phys, length, 0);
  }

  @Override
  public int classify(long phys, long length) {
    return memory.regionOf(phys, length).kind() == MemoryKind.RAM ? RangeKind.LOCAL : RangeKind.UNREACHABLE;
  }

  @Override
  public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
    requireMappable(phys, length, flags);
    take(state, phys & lowBits, length, lowBits + 1, highest, flags);
    try {
      write(state.dmaAddress, phys, length, flags);
      aperture.iommu.publish(state.dmaAddress, state.dmaAddress + length - 1);
    } catch (RuntimeException e) {
      release(state, undo);
      throw e;
    }
  }

  @Override
  public void unmap(MappingState state, Retirement batch) {
    release(state, batch);
  }

  @Override
  public void reserve(MappingState state, long offsetInGranule, long length, long alignment, long highestIova, int flags) {
    take(state, offsetInGranule, length, alignment, lower(highest, highestIova), flags);
  }

  private void take(MappingState state, long offset, long length, long alignment, long limit, int flags) {
    long granules = (offset + length + GRANULE - 1) / GRANULE;
    if (granules <= 0 || granules >= aperture.size / GRANULE) {
      throw new DmaMappingException(
          Reason.OUT_OF_BOUNDS, "%s: 0x%x bytes do not fit an aperture of 0x%x; raise its size".formatted(device, length, aperture.size));
    }
    long natural = Long.highestOneBit(2 * granules - 1);
    long aligned = Math.max(alignment == 0 ? natural : alignment / GRANULE, (lowBits + 1) / GRANULE);
    long most = (flags & MapFlags.COHERENT_MEMORY) == 0 ? limit : lower(limit, highestCoherent);
    int first = aligned > aperture.size / GRANULE ? -1 : aperture.take((int) granules, (int) aligned, most);
    if (first < 0) {
      throw new DmaMappingException(
          Reason.IOVA_EXHAUSTED, "%s: no 0x%x bytes are left in the aperture at or below 0x%x; unmap something".formatted(device, length, most));
    }
    state.dmaAddress = first * GRANULE + offset;
    state.length = length;
    state.allocated = granules * GRANULE;
    state.flags = flags | MapFlags.NEEDS_UNMAP;
  }

  @Override
  public void link(MappingState state, long offset, long phys, long length, int flags, Retirement undo) {
    requireMappable(phys, length, flags);
    write(state.dmaAddress + offset, phys, length, flags);
  }

  @Override
  public void linkRun(MappingState state, long offset, long[] phys, long[] length, int from, int to, int flags, Retirement undo) {
    long at = offset;
    for (int i = from; i < to; i++) {
      try {
        link(state, at, phys[i], length[i], flags, undo);
      } catch (RuntimeException e) {
        // Never published, so that nothing can have been cached.
        for (int j = i - 1; j >= from; j--) {
          at -= length[j];
          clear(state.dmaAddress + at, length[j]);
        }
        throw e;
      }
      at += length[i];
    }
  }

  @Override
  public void publish(MappingState state, long offset, long length, Retirement undo) {
    aperture.iommu.publish(state.dmaAddress + offset, state.dmaAddress + offset + length - 1);
  }

  @Override
  public void unlink(MappingState state, long offset, long length, Retirement batch) {
    long first = state.dmaAddress + offset;
    for (long granule = first / GRANULE; granule <= (first + length - 1) / GRANULE; granule++) {
      if (aperture.word(granule) == 0) {
        throw refused(Reason.NOT_LINKED, "unlink", first, length, "granule 0x%x is not linked".formatted(granule * GRANULE));
      }
    }
    clear(first, length);
    batch.invalidate(aperture.iommu, first & ADDRESS, first + length - 1 | GRANULE - 1, false);
  }

  @Override
  public void release(MappingState state, Retirement batch) {
    if (state.allocated == 0) {
      return;
    }
    // The window may begin behind granules that only keep low bits, but it ends in the last that was allocated.
    long start = state.dmaAddress & ADDRESS;
    long end = state.dmaAddress + state.length + GRANULE - 1 & ADDRESS;
    long first = end - state.allocated;
    clear(start, end - start);
    batch.invalidate(aperture.iommu, start, end - 1, false);
    batch.retire(Retirement.IOVA, this, first / GRANULE, state.allocated / GRANULE, 0);
    state.allocated = 0;
  }

  @Override
  public void retire(int phase, long first, long granules, long unused) {
    aperture.give((int) first, (int) granules);
  }

  /** Do nothing: coherent devices see what the CPU wrote, where it lies. */
  @Override
  public void sync(MappingState state, long offset, long length, int toward) {}

  @Override
  public long physOf(MappingState state, long offset) {
    long iova = state.dmaAddress + offset;
    long word = aperture.word(iova / GRANULE);
    return word == 0 ? ABSENT : (word & ADDRESS) | (iova & GRANULE - 1);
  }

  @Override
  public void close() {
    onClose.run();
  }

  private void write(long iova, long phys, long length, int flags) {
    long first = iova / GRANULE;
    long last = (iova + length - 1) / GRANULE;
    for (long granule = first; granule <= last; granule++) {
      if (aperture.word(granule) != 0) {
        throw refused(Reason.ALREADY_LINKED, "link", phys, length, "granule 0x%x is linked already".formatted(granule * GRANULE));
      }
    }
    long word = (phys & ADDRESS) | flags & MapFlags.ACCESS;
    for (long granule = first; granule <= last; granule++, word += GRANULE) {
      aperture.word(granule, word);
    }
  }

  private void clear(long iova, long length) {
    for (long granule = iova / GRANULE; granule <= (iova + length - 1) / GRANULE; granule++) {
      aperture.word(granule, 0);
    }
  }

  private void requireMappable(long phys, long length, int flags) {
    MemoryKind kind = memory.regionOf(phys, length).kind();
    if (kind != MemoryKind.RAM && (flags & (MapFlags.OWNED | MapFlags.PEER)) == 0) {
      Reason reason = kind == MemoryKind.PEER ? Reason.PEER_UNREACHABLE : Reason.NOT_BACKED;
      throw refused(reason, "map", phys, length, "it is no memory of this machine");
    }
    if (!fits(phys, length, flags)) {
      throw refused(
          Reason.BOUNCE_FORBIDDEN, "map", phys, length, "an untrusted device must not see what shares its granules; align it or add a bounce layer");
    }
  }

  private boolean fits(long phys, long length, int flags) {
    return !untrusted || (flags & MapFlags.OWNED) != 0 || ((phys | length) & GRANULE - 1) == 0;
  }

  private DmaMappingException refused(Reason reason, String call, long address, long length, String why) {
    return new DmaMappingException(reason, "%s: cannot %s 0x%x+0x%x: %s".formatted(device, call, address, length, why));
  }

  private static long lower(long a, long b) {
    return Long.compareUnsigned(a, b) < 0 ? a : b;
  }
}
