package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.Retirement;
import io.twostep.dma.spi.Revocable;
import org.jspecify.annotations.Nullable;

/**
 * A long-lived window of I/O addresses whose units come and go, as on-demand paging needs it.
 *
 * <p>Disjoint units may be linked and unlinked by several threads at once; calls on the same unit are serialised by the caller's lock, and close by the
 * caller's knowledge that no other call runs. Nothing per unit is stored beside the I/O page table; where nothing translates the physical address of
 * each linked unit is, and a record for each run of units that lead to an {@link ImportedBuffer}.
 *
 * <p>Every teardown is strict: when unlink without a batch returns, the device cannot reach the unit. Nothing in a window is ever bounced.
 */
public final class SparseWindow extends DmaHandle {
  private final WindowUnits units = new WindowUnits(this);
  private int flags;

  /** The short way for units that come and go one by one; null where nothing translates. */
  private @Nullable SingleUnits singles;

  /** There from the first unit of an exported buffer on; read without a lock, since who uses such a unit was told of it by who linked it. */
  private @Nullable ImportedUnits imported;

  SparseWindow(DmaMapper mapper) {
    super(mapper);
  }

  void open(long length, long unit, DmaDirection direction, int attributes) {
    flags = requestFlags(direction, attributes) | MapFlags.STRICT | MapFlags.WINDOW;
    claim("newWindow");
    try {
      units.reserve(length, unit, flags);
      if (!units.isDirect()) {
        singles = new SingleUnits(this, units);
      }
    } catch (RuntimeException e) {
      abandon(e);
      throw e;
    }
    activate();
  }

  /** Return the bytes of the window. */
  public long length() {
    return units.length();
  }

  /** Return the bytes of a unit. */
  public long unit() {
    return units.unit();
  }

  /**
   * Return the I/O address of the window's first byte.
   *
   * @throws IllegalStateException where nothing translates: each unit has an address of its own there, given by {@link #link}
   */
  public long address() {
    requireActive("address");
    if (units.isDirect()) {
      throw new IllegalStateException(stack().device + ": nothing translates, so the window has no address of its own; see link");
    }
    return state().dmaAddress;
  }

  /**
   * Link consecutive units and make them usable, with one sync for all of them.
   *
   * @param offset bytes from the window's start, a multiple of the unit
   * @param source ranges whose addresses and lengths are multiples of the unit; read once
   * @param access the permission, within the window's direction
   * @param sink is given one entry per unit, in order; null if the window's address is enough
   * @return units linked; -1 if the sink refused one and everything of this call is undone
   * @throws DmaMappingException ALREADY_LINKED, MISALIGNED, NOT_BACKED, BUS_ADDRESS, PEER_UNREACHABLE, TABLE_MEMORY, UNSUPPORTED where a unit would have to be
   *     bounced, or REVOKED if peer memory of it was taken back, be it during the call: what {@code onRevoke} does not find linked is not linked later; QUARANTINED if the sink refused and that could not be undone.
   *     Nothing of this call stays linked then, but for units that could not be taken out again, as a suppressed exception says: these are linked and held until they are unlinked, or the window is closed
   * @throws IllegalArgumentException for ranges that leave the window or do not lie on units
   */
  public long link(long offset, PhysRanges source, DmaDirection access, @Nullable DmaSink sink) {
    requireAttachedActive("link");
    int linkFlags = linkFlags(access);
    WindowScratch scratch = WindowScratch.take();
    try {
      return units.link(scratch, offset, source, linkFlags, sink);
    } catch (RuntimeException e) {
      units.undoLink(scratch, offset, e);
      return WindowUnits.failed(e);
    } finally {
      scratch.giveBack();
    }
  }

  /**
   * Link a part of a buffer that somebody else exports and make it usable; otherwise as {@link #link(long, PhysRanges, DmaDirection, DmaSink)}.
   *
   * <p>The buffer cannot go while a unit of it is linked here, even if the import is closed before. When its owner takes it back, its units are holes before the tasks run that import and window were given
   * ({@code onRevoke}); the rest of the window stays as it is. Unlinking units that were taken back is legal once and does nothing; others may be linked there without it. Where nothing translates, and where
   * units wait in a batch, only the driver can let go: it must stop the device's requests, unlink, and complete the batch, or the device is stopped for it.
   *
   * @param offset bytes from the window's start, a multiple of the unit
   * @param buffer an open import of this window's device, mapped or not; may be used from several threads for this
   * @param from first byte within the buffer; the ranges that the part is made of must lie on units
   * @param length bytes, a positive multiple of the unit
   * @param access the permission, within the window's direction and the export's
   * @throws DmaMappingException REVOKED if the buffer was taken back or closed by its owner, or as for other memory; nothing of this call stays linked then
   * @throws IllegalArgumentException for another device's import, a part that leaves buffer or window or does not lie on units, or wider access
   * @throws IllegalStateException if the import is closed
   */
  public long link(long offset, ImportedBuffer buffer, long from, long length, DmaDirection access, @Nullable DmaSink sink) {
    requireAttachedActive("link");
    units.requireUnits(offset, length);
    return importedUnits().link(offset, buffer, from, length, access, linkFlags(access), sink);
  }

  private ImportedUnits importedUnits() {
    synchronized (units) {
      ImportedUnits now = imported;
      if (now == null) {
        now = new ImportedUnits(this, units);
        imported = now;
      }
      return now;
    }
  }

  /** Link one physical range; as {@link #link(long, PhysRanges, DmaDirection, DmaSink)}. Returns the address of its first byte. */
  public long link(long offset, long phys, long length, DmaDirection access) {
    requireAttachedActive("link");
    int linkFlags = linkFlags(access);
    SingleUnits alone = singles;
    if (alone != null && alone.tryLink(offset, phys, length, linkFlags)) {
      return alone.address(offset);
    }
    return units.linkOne(offset, phys, length, linkFlags);
  }

  /**
   * Tell whether the unit that {@code offset} lies in is linked.
   *
   * @throws IllegalArgumentException for an offset outside the window
   */
  public boolean isLinked(long offset) {
    requireActive("isLinked");
    requireWithin(offset, 1, units.length());
    return units.physAt(offset & -units.unit()) != DmaOps.ABSENT;
  }

  /**
   * Change the permission of linked units; when this returns the device has the new one only.
   *
   * @throws DmaMappingException NOT_LINKED for a hole, before anything changes; UNSUPPORTED where nothing translates or the stack cannot
   * @throws IllegalArgumentException for a part that does not lie on units of the window, or access wider than the window's or an export's in it
   */
  public void protect(long offset, long length, DmaDirection access) {
    requireAttachedActive("protect");
    int linkFlags = linkFlags(access);
    units.requireUnits(offset, length);
    if (units.isDirect()) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED, stack().device + ": nothing translates for this device, so nothing can change its permissions");
    }
    ImportedUnits runs = imported;
    if (runs == null) {
      units.protect(offset, length, linkFlags & MapFlags.ACCESS);
    } else {
      runs.protect(offset, length, access);
    }
  }

  /**
   * Unlink units; when this returns the device cannot reach them.
   *
   * @param offset bytes from the window's start, a multiple of the unit
   * @param length bytes, a positive multiple of the unit
   * @throws DmaMappingException NOT_LINKED for a hole, before anything changes; QUARANTINED if the device could not be proved away
   */
  public void unlink(long offset, long length) {
    requireActive("unlink");
    SingleUnits alone = singles;
    if (alone == null || imported != null || !alone.tryUnlink(offset, length)) {
      unlinkUnits(offset, length);
    }
  }

  private void unlinkUnits(long offset, long length) {
    units.requireUnits(offset, length);
    WindowScratch scratch = WindowScratch.take();
    try {
      clear(scratch, offset, length, scratch.retirement);
      units.settle(scratch);
    } catch (RuntimeException e) {
      units.settle(scratch, e);
      throw e;
    } finally {
      scratch.giveBack();
    }
  }

  /**
   * Unlink units; the device may still reach them, and their memory stays held, until {@code batch} completes.
   *
   * @throws IllegalStateException if the batch holds work of another address space; nothing changed then
   * @throws DmaMappingException NOT_LINKED for a hole, before anything changes
   */
  public void unlink(long offset, long length, InvalidationBatch batch) {
    requireActive("unlink");
    units.requireUnits(offset, length);
    Retirement retirement = batch.retirementFor(stack());
    WindowScratch scratch = WindowScratch.take();
    try {
      clear(scratch, offset, length, retirement);
    } finally {
      scratch.pins.moveTo(batch.pins());
      scratch.giveBack();
    }
  }

  /** Clear units and hand what holds their memory to the scratch, also what was cleared before a failure. */
  private void clear(WindowScratch scratch, long offset, long length, Retirement retirement) {
    ImportedUnits runs = imported;
    if (runs == null) {
      units.clear(scratch, offset, length, retirement);
    } else {
      runs.clear(scratch, offset, length, retirement);
    }
  }

  /** Return the flags of a link with a permission, which must lie within the window's. */
  private int linkFlags(DmaDirection access) {
    if ((access.access() & ~flags & MapFlags.ACCESS) != 0) {
      refused(Misuse.WIDER_ACCESS, "link or protect", 0, units.length());
      throw new IllegalArgumentException(stack().device + ": " + access + " is wider than the window's direction");
    }
    return (flags & ~MapFlags.ACCESS) | access.access();
  }

  /**
   * Take a part over from the device, so that the CPU reads what it wrote.
   *
   * @param offset bytes from the window's start; any byte
   * @param length bytes, positive, all of them linked
   * @throws IllegalArgumentException for a part outside the window
   * @throws DmaMappingException DETACHED after detach
   */
  public void syncForCpu(long offset, long length) {
    sync(offset, length, DmaOps.TOWARD_CPU);
  }

  /** Hand a part over to the device, so that it reads what the CPU wrote; as {@link #syncForCpu}. */
  public void syncForDevice(long offset, long length) {
    sync(offset, length, DmaOps.TOWARD_DEVICE);
  }

  private void sync(long offset, long length, int toward) {
    ImportedUnits runs = imported;
    if (runs == null) {
      syncUnits(offset, length, toward);
    } else {
      runs.sync(offset, length, toward);
    }
  }

  /** Move ownership of a part from which nobody takes units meanwhile. */
  void syncUnits(long offset, long length, int toward) {
    syncPart(0, offset, length, units.length(), toward);
  }

  /** Memory of units was taken back by its owner: see to it that they are gone, or have the driver do that. */
  void takenBack(Revocable memory) {
    ImportedUnits runs = imported;
    if (runs != null) {
      runs.takenBack(memory);
    }
    tellRevoked();
  }

  @Override
  @Nullable RuntimeException takeDown(Retirement retirement) {
    ImportedUnits runs = imported;
    return runs == null ? units.takeDown(retirement) : runs.takeDown(retirement);
  }
}
