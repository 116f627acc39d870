package io.twostep.backend.debug;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Judges what the layers below answer. Nothing here throws: what was done is done. */
final class BelowChecks {
  private final Device device;
  private final DmaOps next;
  private final Reports reports;
  private final SpaceLedger space;
  private final List<AddressRange> reserved;

  BelowChecks(Device device, DmaOps next, Reports reports, SpaceLedger space) {
    this.device = device;
    this.next = next;
    this.reports = reports;
    this.space = space;
    this.reserved = List.copyOf(device.context.space().reserved());
  }

  private void note(Rule rule, long first, long length, String detail, @Nullable Origin earlier) {
    reports.note(rule, device.name, first, length, detail, earlier);
  }

  void attached() {
    if (Long.bitCount(device.granule) != 1 || Long.bitCount(device.unit) != 1 || device.unit < device.granule) {
      note(Rule.BELOW_BAD_GEOMETRY, 0, 0, "granule " + Hex.of(device.granule) + ", unit " + Hex.of(device.unit), null);
    }
    if (device.untrusted && !device.translates) {
      note(Rule.BELOW_UNTRUSTED_UNTRANSLATED, 0, 0, "the stack below answers translates() = false for an untrusted device", null);
    }
  }

  void geometry() {
    if (next.granule() != device.granule || next.unit() != device.unit || next.translates() != device.translates) {
      note(
          Rule.BELOW_GEOMETRY_CHANGED,
          0,
          0,
          "granule " + Hex.of(device.granule) + " became " + Hex.of(next.granule()) + ", unit " + Hex.of(device.unit) + " became " + Hex.of(next.unit())
              + ", translates " + device.translates + " became " + next.translates(),
          null);
    }
  }

  /** Judge the address that map or reserve answered. */
  void answered(Tracked tracked, MappingState state, long congruentTo, long mask, long length) {
    long first = state.dmaAddress;
    Origin made = tracked.made;
    if (state.length != length) {
      note(Rule.BELOW_WRONG_LENGTH, first, length, "state.length is " + Hex.of(state.length), made);
    }
    if (((first ^ congruentTo) & mask) != 0) {
      note(Rule.BELOW_NOT_CONGRUENT, first, length, "asked for the low bits of " + Hex.of(congruentTo) + " below " + Hex.of(mask + 1), made);
    }
    long last = first + (length - 1);
    if (Long.compareUnsigned(last, first) < 0 || Long.compareUnsigned(last, device.highest) > 0) {
      note(Rule.BELOW_OUT_OF_REACH, first, length, "the highest address the device and its bus pass is " + Hex.of(device.highest), made);
    }
    if (device.translates) {
      translated(tracked, state, first, last, length);
    }
    int dropped = tracked.asked & ~state.flags & (MapFlags.ACCESS | DmaAttributes.ALL);
    if (dropped != 0) {
      note(Rule.BELOW_CLEARED_FLAGS, first, length, "flags " + Hex.of(dropped) + " of " + Hex.of(tracked.asked) + " are gone", made);
    }
  }

  private void translated(Tracked tracked, MappingState state, long first, long last, long length) {
    for (AddressRange range : reserved) {
      if (Long.compareUnsigned(range.first(), last) <= 0 && Long.compareUnsigned(range.last(), first) >= 0) {
        note(Rule.BELOW_RESERVED_ADDRESS, first, length, range + " is reserved", tracked.made);
      }
    }
    if (state.allocated < length + (first & (device.granule - 1))) {
      note(Rule.BELOW_ALLOCATED_TOO_LITTLE, first, length, "state.allocated is " + Hex.of(state.allocated), tracked.made);
    }
    Tracked holder = space.taken(tracked.firstGranule(), tracked.lastByte());
    if (holder != null) {
      note(Rule.BELOW_ADDRESS_TAKEN, first, length, "held by the live " + Hex.range(holder.dmaAddress, holder.length) + " of " + holder.device, holder.made);
    }
    Tracked waiting = space.waiting(tracked.firstGranule(), tracked.lastByte());
    if (waiting != null) {
      note(
          Rule.BELOW_ADDRESS_REUSED_EARLY,
          first,
          length,
          waiting.takenBack
              ? "the driver has not let go of " + Hex.range(waiting.dmaAddress, waiting.length) + " of " + waiting.device + ", whose memory was taken back"
              : "the invalidation of " + Hex.range(waiting.dmaAddress, waiting.length) + " of " + waiting.device + " is not complete",
          waiting.tornDown);
    }
    Tracked unflushed = space.unflushed(tracked.firstGranule(), tracked.lastByte(), next.flushesCompleted());
    if (unflushed != null) {
      note(
          Rule.BELOW_ADDRESS_REUSED_EARLY,
          first,
          length,
          "nothing was flushed since " + Hex.range(unflushed.dmaAddress, unflushed.length) + " of " + unflushed.device + " was torn down",
          unflushed.tornDown);
    }
  }

  /** Let go of what is known of the terminal's flushes, before that is closed. */
  void closing() {
    space.closing();
  }

  /**
   * Judge what a range that was mapped or linked needs.
   *
   * @param before the state's flags before the call: those are not this range's, but other ranges' of the window or a layer's above
   */
  void placed(Tracked tracked, MappingState state, long offset, long phys, long length, int flags, int before) {
    long address = state.dmaAddress + offset;
    boolean bounced = state.has(MapFlags.BOUNCED);
    boolean sync = state.has(MapFlags.NEEDS_SYNC);
    int coherent = flags & (DmaAttributes.REQUIRE_COHERENT | MapFlags.COHERENT_MEMORY);
    int done = (state.flags & ~before) | ((tracked.asked & coherent) != 0 ? tracked.below : 0);
    if (coherent != 0 && (done & (MapFlags.BOUNCED | MapFlags.NEEDS_SYNC)) != 0) {
      note(Rule.BELOW_IGNORED_COHERENCE, address, length, (done & MapFlags.BOUNCED) != 0 ? "it is bounced" : "it needs sync", tracked.made);
    }
    if (!device.coherent && !sync && (flags & (MapFlags.COHERENT_MEMORY | MapFlags.PEER | MapFlags.WINDOW)) == 0) {
      note(Rule.BELOW_NO_SYNC_ASKED, address, length, "state.flags lacks NEEDS_SYNC", tracked.made);
    }
    boolean cut = ((address | address + length) & (device.granule - 1)) != 0;
    if (device.untrusted && device.translates && cut && !bounced && (flags & MapFlags.OWNED) == 0) {
      note(Rule.BELOW_EXPOSED_NEIGHBOURS, address, length, "its edges lie inside granules of " + Hex.of(device.granule) + " and nothing is bounced", tracked.made);
    }
  }

  /** Compare what the layers below find behind a range with what was put there. */
  void physOf(Tracked tracked, MappingState state, long offset, long phys, long length) {
    requirePhys(tracked, state, offset, phys);
    if (length > 1) {
      requirePhys(tracked, state, offset + length - 1, phys + length - 1);
    }
  }

  private void requirePhys(Tracked tracked, MappingState state, long offset, long phys) {
    long found = next.physOf(state, offset);
    if (found != phys) {
      note(
          Rule.BELOW_PHYS_WRONG,
          state.dmaAddress + offset,
          1,
          "linked to " + Hex.of(phys) + ", and physOf answers " + (found == DmaOps.ABSENT ? "ABSENT" : Hex.of(found)),
          tracked.made);
    }
  }

  void unlinked(Tracked tracked, MappingState state, long offset, long length) {
    long found = next.physOf(state, offset);
    if (found != DmaOps.ABSENT) {
      note(Rule.BELOW_STILL_LINKED, state.dmaAddress + offset, length, "physOf answers " + Hex.of(found) + " after unlink", tracked.made);
    }
  }

  /** Judge a call that failed: what it threw, and that nothing changed. */
  void failed(String call, RuntimeException thrown) {
    boolean known =
        thrown instanceof DmaMappingException
            || thrown instanceof CheckerException
            || thrown instanceof IllegalArgumentException
            || thrown instanceof IllegalStateException;
    if (!known) {
      note(Rule.BELOW_WRONG_EXCEPTION, 0, 0, call + " threw " + thrown, null);
    }
  }

  /** Judge a link that failed. */
  void linkFailed(Tracked tracked, MappingState state, long offset, long length, boolean clashes, RuntimeException thrown) {
    failed("link", thrown);
    if (clashes) {
      return;
    }
    long found = next.physOf(state, offset);
    if (found != DmaOps.ABSENT) {
      note(
          Rule.BELOW_CHANGED_ON_FAILURE,
          state.dmaAddress + offset,
          length,
          "link threw " + thrown.getMessage() + " and physOf answers " + Hex.of(found),
          tracked.made);
    }
  }

  /** Judge a map or reserve that failed. */
  void mapFailed(String call, MappingState state, RuntimeException thrown) {
    failed(call, thrown);
    if (thrown instanceof DmaMappingException && state.allocated != 0) {
      note(
          Rule.BELOW_CHANGED_ON_FAILURE,
          state.dmaAddress,
          state.length,
          call + " threw " + thrown.getMessage() + " and state.allocated is " + Hex.of(state.allocated),
          null);
    }
  }

  void accepted(Tracked tracked, long offset, long length, String what, @Nullable Origin earlier) {
    note(Rule.BELOW_ACCEPTED_MISUSE, tracked.dmaAddress + offset, length, what, earlier);
  }

  int kind(int kind, long phys, long length) {
    if (kind < RangeKind.LOCAL || kind > RangeKind.UNREACHABLE) {
      note(Rule.BELOW_BAD_KIND, phys, length, "classify answers " + kind, null);
    }
    return kind;
  }

  /** Tell whether a failed unlink was refused because a piece cannot be split. */
  static boolean isSplit(RuntimeException thrown) {
    return thrown instanceof DmaMappingException refused && refused.reason() == Reason.NOT_SPLITTABLE;
  }
}
