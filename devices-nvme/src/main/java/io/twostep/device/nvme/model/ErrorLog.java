package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.ErrorLogLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The error information log: the newest entries, newest first when read. */
final class ErrorLog {
  /** Entries kept. */
  static final int ENTRIES = 64;

  private final MemorySegment ring;
  private long count;

  ErrorLog(Arena arena) {
    ring = arena.allocate((long) ENTRIES * ErrorLogLayout.SIZE, Long.BYTES);
  }

  /** Return how many errors there have been. */
  long count() {
    return count;
  }

  /** Record an error; ids of {@link ErrorLogLayout#NONE} say that no command caused it. */
  void add(int sqId, int commandId, int status, int nsid, long lba) {
    long at = (count % ENTRIES) * ErrorLogLayout.SIZE;
    count++;
    ring.asSlice(at, ErrorLogLayout.SIZE).fill((byte) 0);
    ErrorLogLayout.ERROR_COUNT.set(ring, at, count);
    ErrorLogLayout.SQ_ID.set(ring, at, sqId);
    ErrorLogLayout.COMMAND_ID.set(ring, at, commandId);
    ErrorLogLayout.STATUS_PHASE.set(ring, at, status << 1);
    ErrorLogLayout.PARAMETER_LOCATION.set(ring, at, 0xffff);
    ErrorLogLayout.NSID.set(ring, at, nsid);
    ErrorLogLayout.LBA.set(ring, at, lba);
  }

  /** Write the log page, newest entry first. */
  void write(MemorySegment page) {
    long kept = Math.min(count, ENTRIES);
    for (long i = 0; i < kept; i++) {
      long from = ((count - 1 - i) % ENTRIES) * ErrorLogLayout.SIZE;
      MemorySegment.copy(ring, from, page, i * ErrorLogLayout.SIZE, ErrorLogLayout.SIZE);
    }
  }
}
