package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.wire.FillPattern;

/**
 * A program in a guest's memory that writes one page after the other anew, round by round, and notes in the first page how far it is: whoever finds the memory later can tell whether it is that of one moment.
 *
 * <p>The last page is not its own.
 */
final class CountedGuest {
  private static final long ROUND = 0;
  private static final long NEXT = 4;

  private final GuestMemory memory;
  private final int pages;

  /** Take up the program where the memory says it stands. */
  CountedGuest(GuestMemory memory) {
    this.memory = memory;
    pages = (int) (memory.length() / GuestMemory.PAGE) - 1;
  }

  void start() {
    for (int page = 1; page < pages; page++) {
      fill(page, 0);
    }
    memory.setInt(ROUND, 1);
    memory.setInt(NEXT, 1);
  }

  void work() {
    int round = memory.getInt(ROUND);
    int page = memory.getInt(NEXT);
    fill(page, round);
    boolean last = page + 1 == pages;
    memory.setInt(NEXT, last ? 1 : page + 1);
    memory.setInt(ROUND, last ? round + 1 : round);
  }

  private void fill(int page, int round) {
    memory.fill(page * GuestMemory.PAGE, GuestMemory.PAGE, segment -> FillPattern.fill(segment, 0, GuestMemory.PAGE, seed(page, round), 0));
  }

  private static long seed(int page, int round) {
    return round * 1000L + page;
  }

  /** Tell whether every page is of the same moment. */
  boolean isOfOneMoment() {
    int round = memory.getInt(ROUND);
    int next = memory.getInt(NEXT);
    boolean right = round > 0;
    for (int page = 1; page < pages && right; page++) {
      right = FillPattern.matches(memory.segment(), page * GuestMemory.PAGE, GuestMemory.PAGE, seed(page, page < next ? round : round - 1), 0);
    }
    return right;
  }

  /** Return how many pages were written since the start. */
  long done() {
    return (memory.getInt(ROUND) - 1L) * (pages - 1) + memory.getInt(NEXT) - 1;
  }
}
