package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Importer;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PeerRange;
import io.twostep.dma.spi.Revocable;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An exported buffer between two revocations: the memory it is now, held so that it cannot go, and the account of who maps it.
 *
 * <p>The account is a region of its own, which every mapping of an importer holds beside the memory's regions; revoking it leaves alone whoever maps the memory otherwise. Of peer memory the lease is
 * itself an importer, since the provider may take it back too.
 */
final class ExportLease implements Importer {
  private final RangeList ranges;
  private final MemoryRegion region;
  private final Revocable account;
  private final Runnable takenBack;
  private final List<MemoryRegion> held = new ArrayList<>();
  private long bytes;
  private @Nullable DeviceSlot provider;
  private boolean released;

  /**
   * Hold the memory of ranges.
   *
   * @param takenBack run when a provider takes peer memory of it back
   * @throws DmaMappingException NOT_BACKED for what is no open memory of the machine, REVOKED for peer memory that was taken back
   */
  ExportLease(Machine machine, String name, PhysRanges source, Runnable takenBack) {
    ranges = RangeList.copyOf(source);
    this.takenBack = takenBack;
    account = new Revocable("exported buffer " + name);
    region = new MemoryRegion(MemoryKind.RAM, account.toString(), account);
    try {
      for (int i = 0; i < ranges.count(); i++) {
        hold(machine, ranges.phys(i), ranges.length(i));
      }
      if (bytes == 0) {
        throw new IllegalArgumentException(account + ": there is nothing to export; give at least one range");
      }
    } catch (RuntimeException e) {
      release();
      throw e;
    }
  }

  private void hold(Machine machine, long phys, long length) {
    if (length <= 0 || Long.compareUnsigned(phys + (length - 1), phys) < 0) {
      throw new IllegalArgumentException(account + ": " + Hex.range(phys, length) + " is no range; lengths are positive and ranges do not wrap");
    }
    MemoryRegion memory = machine.memory().regionOf(phys, length);
    if (memory.kind() == MemoryKind.ABSENT || memory.kind() == MemoryKind.MMIO) {
      throw new DmaMappingException(
          Reason.NOT_BACKED,
          account
              + ": "
              + Hex.range(phys, length)
              + (memory.kind() == MemoryKind.MMIO ? " is a BAR that is not published; see PeerMemory.publish" : " is not one piece of this machine's memory"));
    }
    requireOneOwner(memory, phys, length);
    if (!held.contains(memory)) {
      add(memory, phys, length);
    }
    PeerRange peer = memory.peer();
    for (long done = 0; peer != null && done < length; ) {
      MemoryRegion piece = peer.pieces().pin(phys + done, length - done);
      held.add(piece);
      done = piece.first() + piece.length() - phys;
    }
    bytes = Math.addExact(bytes, length);
  }

  private void requireOneOwner(MemoryRegion memory, long phys, long length) {
    PeerRange peer = memory.peer();
    DeviceSlot owner = peer == null ? null : peer.provider();
    if (held.isEmpty()) {
      provider = owner;
    } else if (owner != provider) {
      throw new IllegalArgumentException(
          account + ": " + Hex.range(phys, length) + " belongs to somebody else than what is before it; export the memory of one device, or of the machine alone");
    }
  }

  private void add(MemoryRegion memory, long phys, long length) {
    Revocable revocable = memory.revocable();
    if (!memory.tryPin()) {
      throw new DmaMappingException(
          revocable == null ? Reason.NOT_BACKED : Reason.REVOKED,
          account + ": " + Hex.range(phys, length) + " lies in " + memory + (revocable == null ? ", which is closed" : ", which was taken back"));
    }
    if (revocable != null && !revocable.add(this)) {
      memory.unpin();
      throw new DmaMappingException(Reason.REVOKED, account + ": " + Hex.range(phys, length) + " lies in " + memory + ", which was taken back");
    }
    held.add(memory);
  }

  /** Let go of the memory; may be repeated. */
  void release() {
    synchronized (this) {
      if (released) {
        return;
      }
      released = true;
    }
    for (MemoryRegion memory : held) {
      Revocable revocable = memory.revocable();
      if (revocable != null) {
        revocable.remove(this);
      }
      memory.unpin();
    }
  }

  RangeList ranges() {
    return ranges;
  }

  long bytes() {
    return bytes;
  }

  /** Return what every mapping of an importer holds. */
  MemoryRegion region() {
    return region;
  }

  /** Return who maps the buffer. */
  Revocable account() {
    return account;
  }

  /** Return the device whose memory it is; null for memory of the machine. */
  @Nullable DeviceSlot provider() {
    return provider;
  }

  @Override
  public DeviceSlot device() {
    return Objects.requireNonNull(provider, "memory of the machine has no provider");
  }

  @Override
  public void revoked(Revocable memory) {
    takenBack.run();
  }

  /** Confirm that importers, which the provider knows and stops itself, are all that is left. */
  @Override
  public void stop() {
    if (region.pins() != 0 && account.importers().isEmpty()) {
      throw new DmaMappingException(Reason.QUARANTINED, account + ": " + region.pins() + " mappings hold it and no device is known to stop");
    }
  }
}
