package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Retirement;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * A long-lived window of I/O addresses whose units come and go, as on-demand paging needs it.
 *
 * <p>Disjoint units may be linked and unlinked by several threads at once; calls on the same unit are serialised by the caller's lock. Nothing per unit is
 * stored beside the I/O page table; where nothing translates the physical address of each linked unit is.
 *
 * <p>Every teardown is strict: when unlink without a batch returns, the device cannot reach the unit.
 */
public final class SparseWindow extends DmaHandle {
  private static final int RUN = 64;
  private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

  private long length;
  private long unit;
  private int flags;
  private @Nullable AtomicLongArray directUnits;

  SparseWindow(DmaMapper mapper) {
    super(mapper);
  }

  void open(long length, long unit, DmaDirection direction, int attributes) {
    AttachedStack stack = stack();
    flags = requestFlags(direction, attributes) | MapFlags.STRICT | MapFlags.WINDOW;
    if (unit <= 0 || (unit & (unit - 1)) != 0 || unit < stack.granule || length <= 0 || (length & (unit - 1)) != 0) {
      throw new IllegalArgumentException(
          stack.device
              + ": a window of "
              + Hex.of(length)
              + " bytes in units of "
              + Hex.of(unit)
              + ": the unit must be a power of two not below the granule of "
              + Hex.of(stack.granule)
              + ", the length a multiple of it");
    }
    this.length = length;
    this.unit = unit;
    claim();
    try {
      MappingState state = state();
      state.maxLeaf = unit;
      if (stack.translates) {
        stack.ops.reserve(state, 0, length, unit, -1L, flags);
      } else {
        directUnits = new AtomicLongArray(Math.toIntExact(length / unit));
        state.length = length;
      }
    } catch (RuntimeException e) {
      abandon();
      throw e;
    }
    activate();
  }

  /** Return the bytes of the window. */
  public long length() {
    return length;
  }

  /** Return the bytes of a unit. */
  public long unit() {
    return unit;
  }

  /**
   * Return the I/O address of the window's first byte.
   *
   * @throws IllegalStateException where nothing translates: each unit has an address of its own there, given by {@link #link}
   */
  public long address() {
    requireActive();
    if (directUnits != null) {
      throw new IllegalStateException(stack().device + ": nothing translates, so the window has no address of its own");
    }
    return state().dmaAddress;
  }

  /**
   * Link consecutive units and make them usable, with one sync for all of them.
   *
   * @param offset bytes from the window's start, a multiple of the unit
   * @param source ranges whose addresses and lengths are multiples of the unit
   * @param access the permission, within the window's direction
   * @param sink is given one entry per unit, in order; null if the window's address is enough
   * @return units linked
   * @throws DmaMappingException ALREADY_LINKED, MISALIGNED, NOT_BACKED, TABLE_MEMORY; nothing of this call stays linked then
   */
  public long link(long offset, PhysRanges source, DmaDirection access, @Nullable DmaSink sink) {
    requireAttachedActive();
    requireAccess(access);
    Scratch scratch = SCRATCH.get();
    long at = offset;
    boolean done = false;
    source.rewind();
    try {
      for (int count = source.fill(scratch.phys, scratch.length); count > 0; count = source.fill(scratch.phys, scratch.length)) {
        for (int i = 0; i < count; i++) {
          at = linkRange(scratch, at, scratch.phys[i], scratch.length[i], access, sink);
        }
      }
      if (at != offset && directUnits == null) {
        stack().ops.publish(state(), offset, at - offset, scratch.undo);
      }
      done = true;
      return (at - offset) / unit;
    } finally {
      if (!done) {
        scratch.undo.complete();
        if (at != offset) {
          unlinkUnits(offset, at - offset, scratch.undo);
          scratch.undo.complete();
        }
      }
    }
  }

  /** Link one physical range; as {@link #link(long, PhysRanges, DmaDirection, DmaSink)}. Returns the address of its first byte. */
  public long link(long offset, long phys, long length, DmaDirection access) {
    requireAttachedActive();
    requireAccess(access);
    Scratch scratch = SCRATCH.get();
    boolean linked = false;
    boolean done = false;
    try {
      linkRange(scratch, offset, phys, length, access, null);
      linked = true;
      if (directUnits == null) {
        stack().ops.publish(state(), offset, length, scratch.undo);
      }
      done = true;
    } finally {
      if (!done) {
        scratch.undo.complete();
        if (linked) {
          unlinkUnits(offset, length, scratch.undo);
          scratch.undo.complete();
        }
      }
    }
    return directUnits == null ? state().dmaAddress + offset : directAddress(scratch, phys, access);
  }

  private long linkRange(
      Scratch scratch, long offset, long phys, long bytes, DmaDirection access, @Nullable DmaSink sink) {
    requirePhysRange(phys, bytes);
    requireUnits(offset, bytes);
    if ((phys & (unit - 1)) != 0) {
      throw new DmaMappingException(
          Reason.MISALIGNED,
          stack().device + ": cannot link " + Hex.range(phys, bytes) + " into a window of units of " + Hex.of(unit));
    }
    AttachedStack stack = stack();
    MemoryRegion region = stack.memory.regionOf(phys, bytes);
    int peer = region.kind() == MemoryKind.RAM ? 0 : otherFlags(region, phys, bytes);
    pinUnits(region, phys, bytes);
    try {
      if (directUnits == null) {
        stack.ops.link(state(), offset, phys, bytes, (flags & ~MapFlags.ACCESS) | access.access() | peer, scratch.undo);
      } else {
        linkDirect(scratch, offset, phys, bytes, access);
      }
    } catch (RuntimeException e) {
      unpinUnits(region, bytes);
      throw e;
    }
    if (sink != null) {
      give(scratch, offset, phys, bytes, access, sink);
    }
    return offset + bytes;
  }

  private int otherFlags(MemoryRegion region, long phys, long bytes) {
    if (region.kind() == MemoryKind.PEER && stack().ops.classify(phys, bytes) == RangeKind.BRIDGE_PEER) {
      return MapFlags.PEER;
    }
    throw new DmaMappingException(
        region.kind() == MemoryKind.PEER ? Reason.BUS_ADDRESS : Reason.NOT_BACKED,
        stack().device + ": " + Hex.range(phys, bytes) + " is " + region + " and cannot be linked into a window");
  }

  private void give(Scratch scratch, long offset, long phys, long bytes, DmaDirection access, DmaSink sink) {
    for (long done = 0; done < bytes; done += unit) {
      long address =
          directUnits == null ? state().dmaAddress + offset + done : directAddress(scratch, phys + done, access);
      if (!sink.accept(address, unit, RangeKind.LOCAL)) {
        unlinkUnits(offset, bytes, scratch.undo);
        throw new IllegalStateException(stack().device + ": the sink refused the unit at " + Hex.of(offset + done));
      }
    }
  }

  private void linkDirect(Scratch scratch, long offset, long phys, long bytes, DmaDirection access) {
    AtomicLongArray units = directUnits();
    for (long done = 0; done < bytes; done += unit) {
      directAddress(scratch, phys + done, access);
    }
    for (long done = 0; done < bytes; done += unit) {
      if (!units.compareAndSet(index(offset + done), 0, phys + done | 1)) {
        for (long back = 0; back < done; back += unit) {
          units.set(index(offset + back), 0);
        }
        throw new DmaMappingException(
            Reason.ALREADY_LINKED, stack().device + ": the unit at " + Hex.of(offset + done) + " of the window is linked");
      }
    }
  }

  /** Return the direct address of a unit; refused if it would take a bounce, which a window has no moment to copy for. */
  private long directAddress(Scratch scratch, long phys, DmaDirection access) {
    MappingState probe = scratch.state(stack().layers);
    stack().ops.map(probe, phys, unit, (flags & ~MapFlags.ACCESS) | access.access(), scratch.undo);
    if (probe.has(MapFlags.NEEDS_UNMAP)) {
      stack().ops.unmap(probe, scratch.undo);
      scratch.undo.complete();
      throw new DmaMappingException(
          Reason.UNSUPPORTED,
          stack().device + ": " + Hex.range(phys, unit) + " would have to be bounced, which a window cannot do");
    }
    return probe.dmaAddress;
  }

  private AtomicLongArray directUnits() {
    AtomicLongArray units = directUnits;
    if (units == null) {
      throw new IllegalStateException("the stack translates");
    }
    return units;
  }

  private int index(long offset) {
    return (int) (offset / unit);
  }

  /** Tell whether the unit at {@code offset} is linked. */
  public boolean isLinked(long offset) {
    requireActive();
    requireWithin(offset, 1);
    return physAt(offset & -unit) != DmaOps.ABSENT;
  }

  private long physAt(long offset) {
    AtomicLongArray units = directUnits;
    if (units == null) {
      return stack().ops.physOf(state(), offset);
    }
    long stored = units.get(index(offset));
    return stored == 0 ? DmaOps.ABSENT : stored & ~1L;
  }

  /** Change the permission of linked units; when this returns the device has the new one only. */
  public void protect(long offset, long length, DmaDirection access) {
    requireAttachedActive();
    requireAccess(access);
    requireUnits(offset, length);
    requireLinked(offset, length);
    if (directUnits == null) {
      Scratch scratch = SCRATCH.get();
      stack().ops.protect(state(), offset, length, access.access(), scratch.undo);
      scratch.undo.complete();
    }
  }

  /** Unlink units; when this returns the device cannot reach them. */
  public void unlink(long offset, long length) {
    requireActive();
    requireUnits(offset, length);
    requireLinked(offset, length);
    Scratch scratch = SCRATCH.get();
    unlinkUnits(offset, length, scratch.undo);
  }

  /** Unlink units; the device may still reach them, and their memory stays held, until {@code batch} completes. */
  public void unlink(long offset, long length, InvalidationBatch batch) {
    requireActive();
    requireUnits(offset, length);
    requireLinked(offset, length);
    for (long at = offset; at < offset + length; at += unit) {
      batch.hold(stack().memory.regionOf(physAt(at), unit));
    }
    clearUnits(offset, length, batch.retirement());
  }

  private void unlinkUnits(long offset, long length, Retirement retirement) {
    if (length == unit) {
      MemoryRegion region = stack().memory.regionOf(physAt(offset), unit);
      clearUnits(offset, length, retirement);
      retirement.complete();
      region.unpin();
      return;
    }
    MemoryRegion[] regions = new MemoryRegion[Math.toIntExact(length / unit)];
    for (int i = 0; i < regions.length; i++) {
      regions[i] = stack().memory.regionOf(physAt(offset + i * unit), unit);
    }
    clearUnits(offset, length, retirement);
    retirement.complete();
    for (MemoryRegion region : regions) {
      region.unpin();
    }
  }

  private void clearUnits(long offset, long length, Retirement retirement) {
    AtomicLongArray units = directUnits;
    if (units == null) {
      stack().ops.unlink(state(), offset, length, retirement);
      return;
    }
    for (long at = offset; at < offset + length; at += unit) {
      units.set(index(at), 0);
    }
  }

  private void requireLinked(long offset, long length) {
    for (long at = offset; at < offset + length; at += unit) {
      if (physAt(at) == DmaOps.ABSENT) {
        throw new DmaMappingException(
            Reason.NOT_LINKED, stack().device + ": the unit at " + Hex.of(at) + " of the window is not linked");
      }
    }
  }

  private void pinUnits(MemoryRegion region, long phys, long bytes) {
    for (long done = 0; done < bytes; done += unit) {
      if (!region.tryPin()) {
        unpinUnits(region, done);
        throw new DmaMappingException(
            Reason.NOT_BACKED, stack().device + ": " + Hex.range(phys, bytes) + " lies in " + region + ", which is closed");
      }
    }
  }

  private void unpinUnits(MemoryRegion region, long bytes) {
    for (long done = 0; done < bytes; done += unit) {
      region.unpin();
    }
  }

  private void requireUnits(long offset, long bytes) {
    requireWithin(offset, bytes);
    if (((offset | bytes) & (unit - 1)) != 0) {
      throw new IllegalArgumentException(
          stack().device + ": " + Hex.range(offset, bytes) + " does not lie on units of " + Hex.of(unit));
    }
  }

  private void requireAccess(DmaDirection access) {
    if ((access.access() & ~flags & MapFlags.ACCESS) != 0) {
      throw new IllegalArgumentException(stack().device + ": " + access + " is wider than the window's direction");
    }
  }

  /** Take a part over from the device, so that the CPU reads what it wrote. */
  public void syncForCpu(long offset, long length) {
    syncPart(offset, length, DmaOps.TOWARD_CPU);
  }

  /** Hand a part over to the device, so that it reads what the CPU wrote. */
  public void syncForDevice(long offset, long length) {
    syncPart(offset, length, DmaOps.TOWARD_DEVICE);
  }

  @Override
  void tearDown() {
    claimTeardown();
    try {
      for (long at = 0; at < length; at += unit) {
        long phys = physAt(at);
        if (phys != DmaOps.ABSENT) {
          pins().adopt(stack().memory.regionOf(phys, unit));
        }
      }
      if (directUnits == null) {
        stack().ops.release(state(), own());
      }
    } finally {
      finishTeardown(null);
    }
  }

  /** What one thread needs for one call. */
  private static final class Scratch {
    final long[] phys = new long[RUN];
    final long[] length = new long[RUN];
    final Retirement undo = new Retirement();
    private @Nullable MappingState state;

    MappingState state(int layers) {
      MappingState probe = state;
      if (probe == null || probe.layers() != layers) {
        probe = new MappingState(layers);
        state = probe;
      }
      probe.reset();
      return probe;
    }
  }
}
