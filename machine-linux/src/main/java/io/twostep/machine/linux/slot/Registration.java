package io.twostep.machine.linux.slot;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.OffsetWindow;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Places one stretch of memory into the I/O addresses that are free: lowest first, in as few pieces as the windows allow. Pure. */
final class Registration {
  /** Below this many devices still have legacy ranges, and an address of 0 means nothing to many. */
  private static final long LOWEST = 1L << 20;

  private Registration() {}

  /**
   * Plan the windows.
   *
   * @param windows I/O addresses that may be mapped
   * @param reserved I/O addresses among them that may not
   * @param alignment a power of two: I/O and physical addresses agree below it, so that large pages can be used
   * @throws DmaMappingException IOVA_EXHAUSTED if it does not fit
   */
  static List<OffsetWindow> plan(String space, long phys, long length, List<AddressRange> windows, List<AddressRange> reserved, long alignment) {
    List<OffsetWindow> plan = new ArrayList<>();
    long done = 0;
    for (AddressRange free : free(windows, reserved)) {
      if (done == length) {
        break;
      }
      long wanted = phys + done & alignment - 1;
      long first = (free.first() - wanted + alignment - 1 & -alignment) + wanted;
      if (Long.compareUnsigned(first, free.first()) < 0 || Long.compareUnsigned(first, free.last()) > 0) {
        continue;
      }
      long room = free.last() - first + 1 & -4096L;
      long piece = Long.compareUnsigned(room, length - done) >= 0 ? length - done : room & -alignment;
      if (piece > 0) {
        plan.add(new OffsetWindow(phys + done, first, piece));
        done += piece;
      }
    }
    if (done != length) {
      throw new DmaMappingException(
          Reason.IOVA_EXHAUSTED, "%s: %d bytes of memory do not fit into the I/O addresses %s; set a smaller 'memory'".formatted(space, length, windows));
    }
    return plan;
  }

  private static List<AddressRange> free(List<AddressRange> windows, List<AddressRange> reserved) {
    List<AddressRange> taken = new ArrayList<>(reserved);
    taken.add(new AddressRange(0, LOWEST - 1, "low addresses"));
    taken.sort(Comparator.comparing(AddressRange::first, Long::compareUnsigned));
    List<AddressRange> free = new ArrayList<>();
    for (AddressRange window : windows) {
      long at = window.first();
      boolean ended = false;
      for (AddressRange hole : taken) {
        if (!hole.overlaps(at, window.last())) {
          continue;
        }
        if (Long.compareUnsigned(hole.first(), at) > 0) {
          free.add(new AddressRange(at, hole.first() - 1, window.purpose()));
        }
        if (Long.compareUnsigned(hole.last(), window.last()) >= 0) {
          ended = true;
          break;
        }
        at = hole.last() + 1;
      }
      if (!ended) {
        free.add(new AddressRange(at, window.last(), window.purpose()));
      }
    }
    return free;
  }
}
