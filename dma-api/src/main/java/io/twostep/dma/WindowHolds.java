package io.twostep.dma;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PeerRange;
import io.twostep.dma.spi.Revocable;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The memory that units of a {@link SparseWindow} hold and that may be taken back, peers or exports: how many units hold it, and whose device is to be stopped.
 *
 * <p>Several threads link and unlink at once, so nobody but the driver can take out units of peers; those of exported buffers are recorded, see {@link ImportedUnits}. A unit counts until the device is proved away
 * from it, batches included.
 */
final class WindowHolds implements RevocableHolder {
  private final SparseWindow window;
  private final WindowUnits units;
  private @Nullable Revocable[] memories = new Revocable[2];
  private long[] pinsOf = new long[2];
  private int count;

  WindowHolds(SparseWindow window, WindowUnits units) {
    this.window = window;
    this.units = units;
  }

  /** Hold the memory of a range of units once for each of them, and of peer memory the pieces too, of which the scratch takes note; false, and nothing is held, if it is closed or was taken back. */
  boolean tryHold(WindowScratch scratch, MemoryRegion region, long phys, long length) {
    if (!RegionPins.tryPin(region, length / units.unit(), holderOf(region))) {
      return false;
    }
    PeerRange peer = region.peer();
    if (peer != null) {
      scratch.holdsPeers = true;
      holdPieces(peer.pieces(), phys, length);
    }
    return true;
  }

  /**
   * Refuse units that a call has just linked, from {@code from} on, if their memory was taken back meanwhile.
   *
   * <p>The owner marks the memory first and tells the driver then. So a link that passes was in the table before the driver heard of it; one that is not there yet does not come later.
   */
  void requireNotTakenBack(WindowScratch scratch, long from) {
    if (scratch.holdsPeers) {
      requireNotTakenBack(from, scratch.linkedTo);
    }
  }

  private void requireNotTakenBack(long from, long to) {
    long unit = units.unit();
    AttachedStack stack = window.stack();
    // Our entries before their mark: one of the two threads sees what the other wrote.
    VarHandle.fullFence();
    for (long at = from; at < to; at += unit) {
      long phys = units.physAt(at);
      MemoryRegion region = stack.memory.regionOf(phys, unit);
      PeerRange peer = region.peer();
      if (peer != null && peer.isRevoked()) {
        throw RegionPins.closed(stack, region, phys, unit);
      }
    }
  }

  /** Hand what {@link #tryHold} held for a range, or a part of it, to pins that let go of it later. */
  void handTo(RegionPins pins, MemoryRegion region, long phys, long length, int mark) {
    pins.adopt(region, length / units.unit(), holderOf(region), mark);
    PeerRange peer = region.peer();
    if (peer != null) {
      handPiecesTo(pins, peer.pieces(), phys, length, mark);
    }
  }

  /** Return who answers for units of a region; null if nobody may take it back. */
  private @Nullable RevocableHolder holderOf(MemoryRegion region) {
    return region.revocable() == null ? null : this;
  }

  private void holdPieces(PeerPieces pieces, long phys, long length) {
    long unit = units.unit();
    for (long at = 0; at < length; at += unit) {
      for (long done = 0; done < unit; ) {
        MemoryRegion piece = pieces.pin(phys + at + done, unit - done);
        done = piece.first() + piece.length() - (phys + at);
      }
    }
  }

  /** Take over what {@link #holdPieces} held: the pieces are still the same. */
  private void handPiecesTo(RegionPins pins, PeerPieces pieces, long phys, long length, int mark) {
    long unit = units.unit();
    for (long at = 0; at < length; at += unit) {
      for (long done = 0; done < unit; ) {
        MemoryRegion piece = pieces.at(phys + at + done);
        pins.adopt(piece, 1, null, mark);
        done = piece.first() + piece.length() - (phys + at);
      }
    }
  }

  @Override
  public synchronized boolean add(Revocable memory, long pins) {
    int at = indexOf(memory);
    if (at < count ? memory.isRevoked() : !memory.add(this)) {
      return false;
    }
    if (at == count) {
      if (count == memories.length) {
        memories = Arrays.copyOf(memories, count * 2);
        pinsOf = Arrays.copyOf(pinsOf, count * 2);
      }
      memories[at] = memory;
      pinsOf[at] = 0;
      count++;
    }
    pinsOf[at] += pins;
    return true;
  }

  @Override
  public synchronized void remove(Revocable memory, long pins) {
    int at = indexOf(memory);
    if (at == count) {
      throw new IllegalStateException("the window does not hold " + memory);
    }
    pinsOf[at] -= pins;
    if (pinsOf[at] == 0) {
      memories[at] = memories[--count];
      pinsOf[at] = pinsOf[count];
      memories[count] = null;
      memory.remove(this);
    }
  }

  private int indexOf(Revocable memory) {
    int at = 0;
    while (at < count && memories[at] != memory) {
      at++;
    }
    return at;
  }

  @Override
  public DmaMapper mapper() {
    return window.mapper();
  }

  @Override
  public DeviceSlot device() {
    return window.mapper().slot();
  }

  @Override
  public void revoked(Revocable memory) {
    window.takenBack(memory);
  }

  @Override
  public void stop() {
    window.mapper().stopDevice();
  }
}
