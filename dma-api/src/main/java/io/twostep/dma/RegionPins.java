package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.PeerRange;
import io.twostep.dma.spi.Revocable;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The memory regions that one handle or batch holds, so that no block closes below a device.
 *
 * <p>Ranges of one request mostly lie in one region: the last one is remembered and costs a comparison. Some regions may be held more than once.
 */
final class RegionPins {
  /** How many of the latest regions are searched before a region is simply held again. */
  private static final int SEARCHED = 8;

  private @Nullable MemoryRegion[] held = {};
  private long[] times = {};

  /** Who answers for what may be taken back; null for everything else. */
  private @Nullable RevocableHolder[] holders = {};
  private int count;
  private @Nullable MemoryRegion latest;

  /** The ordinary memory held last, which may have been closed since. */
  private @Nullable MemoryRegion earlier;

  /** First address of the region held last, if that is one run of ordinary memory. */
  private long memoryFirst;

  /** Bytes of that run; 0 for everything else. */
  private long memoryLength;

  /** Whose regions these are, to be known to owners who may take them back; null where a batch or the quarantine holds on for somebody else. */
  private final @Nullable DmaHandle handle;

  RegionPins() {
    this(null);
  }

  RegionPins(@Nullable DmaHandle handle) {
    this.handle = handle;
  }

  /**
   * Hold the region of a range and return it.
   *
   * @throws DmaMappingException NOT_BACKED unless the range is memory or peer memory, and its region open
   */
  MemoryRegion pin(AttachedStack stack, long phys, long length) {
    MemoryRegion known = latest;
    // What is held stays open, so that nothing else can lie there.
    if (known != null && known.spans(phys, length)) {
      return known;
    }
    MemoryRegion before = count == 0 ? earlier : null;
    // Nor can it where a region is still open, whoever holds it: what can be held need not be looked up again.
    if (before != null && before.spans(phys, length) && before.tryPin(1)) {
      append(before, 1, null);
      return before;
    }
    return pinOther(stack, phys, length);
  }

  /** Look up the region of a range and hold it. */
  private MemoryRegion pinOther(AttachedStack stack, long phys, long length) {
    MemoryRegion known = latest;
    MemoryRegion region = stack.memory.regionOf(phys, length);
    if (region != known) {
      requireMemory(stack, region, phys, length);
      if (!hold(region)) {
        throw closed(stack, region, phys, length);
      }
    }
    PeerRange peer = region.peer();
    if (peer != null) {
      holdPieces(peer.pieces(), phys, length);
    }
    return region;
  }

  /** Return a negative number, as {@link Bounds} does, unless a range is ordinary memory of the region held last: what needs no further look. */
  long outsideMemory(long phys, long length) {
    return Bounds.outside(phys - memoryFirst, length, memoryLength);
  }

  private void latest(@Nullable MemoryRegion region) {
    latest = region;
    if (region != null && region.kind() == MemoryKind.RAM) {
      memoryFirst = region.first();
      memoryLength = region.length();
      earlier = region;
    } else {
      memoryLength = 0;
    }
  }

  /** Hold the pieces of peer memory that a range touches, so that they are not given to others below a device. */
  private void holdPieces(PeerPieces pieces, long phys, long length) {
    MemoryRegion range = latest;
    for (long done = 0; done < length; ) {
      MemoryRegion piece = heldPiece(phys + done);
      if (piece == null) {
        piece = pieces.pin(phys + done, length - done);
        append(piece, 1, null);
      }
      done = piece.first() + piece.length() - phys;
    }
    latest(range);
  }

  private @Nullable MemoryRegion heldPiece(long at) {
    for (int i = count - 1; i >= Math.max(0, count - SEARCHED); i--) {
      MemoryRegion region = held[i];
      if (region != null && region.kind() == MemoryKind.PEER && region.spans(at, 1)) {
        return region;
      }
    }
    return null;
  }

  /** Hold a region unless it is among the latest held; false if it is closed. */
  boolean hold(MemoryRegion region) {
    for (int i = count - 1; i >= Math.max(0, count - SEARCHED); i--) {
      if (held[i] == region) {
        latest(region);
        return true;
      }
    }
    RevocableHolder holder = handle == null || region.revocable() == null ? null : handle.revocables();
    if (!tryPin(region, 1, holder)) {
      return false;
    }
    append(region, 1, holder);
    return true;
  }

  /** Hold a region {@code pins} times, for a holder if it may be taken back; false, and nothing is held, if it is closed or was taken back. */
  static boolean tryPin(MemoryRegion region, long pins, @Nullable RevocableHolder holder) {
    if (!region.tryPin(pins)) {
      return false;
    }
    Revocable memory = region.revocable();
    if (holder != null && memory != null && !holder.add(memory, pins)) {
      region.unpin(pins);
      return false;
    }
    return true;
  }

  /** Let go of what {@link #tryPin} held. */
  static void unpin(MemoryRegion region, long pins, @Nullable RevocableHolder holder) {
    Revocable memory = region.revocable();
    if (holder != null && memory != null) {
      holder.remove(memory, pins);
    }
    region.unpin(pins);
  }

  /** Note how a range that is held is reached: what no translation guards, nobody but the driver can let go of. A reservation refuses such a range, and what it links stays guarded. */
  void found(AttachedStack stack, int kind) {
    if (handle != null && !(handle instanceof IovaReservation) && (kind == RangeKind.BUS_PEER || !stack.translates)) {
      handle.revocables().reachedPastTranslation();
    }
  }

  /** Take over pins that somebody else made; they stay apart from what was held before the mark. */
  void adopt(MemoryRegion region, long pins, @Nullable RevocableHolder holder, int mark) {
    if (count > mark && held[count - 1] == region && holders[count - 1] == holder) {
      times[count - 1] += pins;
    } else {
      append(region, pins, holder);
    }
  }

  private void append(MemoryRegion region, long pins, @Nullable RevocableHolder holder) {
    if (count == held.length) {
      int capacity = Math.max(2, count * 2);
      held = Arrays.copyOf(held, capacity);
      times = Arrays.copyOf(times, capacity);
      holders = Arrays.copyOf(holders, capacity);
    }
    held[count] = region;
    holders[count] = holder;
    times[count++] = pins;
    latest(region);
  }

  boolean isEmpty() {
    return count == 0;
  }

  /** Return a mark to {@link #releaseTo} when a call fails. */
  int mark() {
    return count;
  }

  /** Let go of everything held since the mark. */
  void releaseTo(int mark) {
    while (count > mark) {
      MemoryRegion region = held[--count];
      RevocableHolder holder = holders[count];
      held[count] = null;
      holders[count] = null;
      if (region != null) {
        unpin(region, times[count], holder);
      }
    }
    latest(null);
  }

  /** Forget what was adopted since the mark: it stays with whom it came from. */
  void forgetTo(int mark) {
    Arrays.fill(held, mark, count, null);
    Arrays.fill(holders, mark, count, null);
    count = mark;
    latest(null);
  }

  void releaseAll() {
    if (count != 0) {
      releaseTo(0);
    }
  }

  /** Hold everything a second time, for {@code other}, which answers for it in the place of whoever did. */
  void shareWith(RegionPins other) {
    for (int i = 0; i < count; i++) {
      MemoryRegion region = held[i];
      RevocableHolder holder = holders[i];
      if (region != null) {
        other.holdAgain(region, holder == null ? null : new Withheld(holder.mapper()));
      }
    }
  }

  /** Hold a region that somebody else holds, so that it may be revoked but not gone. */
  private void holdAgain(MemoryRegion region, @Nullable Withheld holder) {
    for (int i = holder == null ? count - 1 : -1; i >= Math.max(0, count - SEARCHED); i--) {
      if (held[i] == region) {
        return;
      }
    }
    region.pinAgain();
    Revocable memory = region.revocable();
    if (holder != null && memory != null) {
      holder.add(memory, 1);
    }
    append(region, 1, holder);
  }

  /** Hand everything over to {@code other}. */
  void moveTo(RegionPins other) {
    for (int i = 0; i < count; i++) {
      MemoryRegion region = held[i];
      if (region != null) {
        other.adopt(region, times[i], holders[i], 0);
      }
      held[i] = null;
      holders[i] = null;
    }
    count = 0;
    latest(null);
  }

  static void requireMemory(AttachedStack stack, MemoryRegion region, long phys, long length) {
    if (region.kind() == MemoryKind.ABSENT || region.kind() == MemoryKind.MMIO) {
      stack.ops.refused(null, Misuse.NOT_MEMORY, "map or link", phys, length);
      throw new DmaMappingException(
          Reason.NOT_BACKED,
          stack.device
              + ": "
              + Hex.range(phys, length)
              + " is "
              + (region.kind() == MemoryKind.MMIO ? "device registers, not memory; allocate from memory()" : whyAbsent(stack, phys, length)));
    }
  }

  /** Tell garbage from memory that is only in several pieces. */
  private static String whyAbsent(AttachedStack stack, long phys, long length) {
    if (stack.memory.regionOf(phys, 1).kind() == MemoryKind.ABSENT) {
      return "not memory of this machine; allocate from memory()";
    }
    long piece = 1;
    long beyond = length;
    while (beyond - piece > 1) {
      long middle = piece + (beyond - piece) / 2;
      if (stack.memory.regionOf(phys, middle).kind() == MemoryKind.ABSENT) {
        beyond = middle;
      } else {
        piece = middle;
      }
    }
    return "not one piece of memory: only the first "
        + Hex.of(piece)
        + " bytes are; map each range of MemoryBlock.ranges(), or use a transfer";
  }

  static DmaMappingException closed(AttachedStack stack, MemoryRegion region, long phys, long length) {
    if (region.peer() != null) {
      return new DmaMappingException(
          Reason.REVOKED, stack.device + ": peer memory " + Hex.range(phys, length) + " was taken back by its owner, " + region.name());
    }
    stack.ops.refused(null, Misuse.NOT_MEMORY, "map or link", phys, length);
    return new DmaMappingException(
        Reason.NOT_BACKED, stack.device + ": " + Hex.range(phys, length) + " lies in " + region + ", which is closed");
  }
}
