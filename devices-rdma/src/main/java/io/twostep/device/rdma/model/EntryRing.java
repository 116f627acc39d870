package io.twostep.device.rdma.model;

import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;

/** A ring of 64-byte entries in host memory that the adapter writes: completions or events. The last byte of an entry is written last and carries the round. */
final class EntryRing {
  static final int ENTRY = 64;

  private final BusMaster bus;
  private final long base;
  private final int logEntries;
  private final MemorySegment entry = MemorySegment.ofArray(new byte[ENTRY]);
  private long produced;

  EntryRing(BusMaster bus, long base, int logEntries) {
    this.bus = bus;
    this.base = base;
    this.logEntries = logEntries;
  }

  /** Return the entry to fill in, zeroed. */
  MemorySegment blank() {
    return entry.fill((byte) 0);
  }

  long produced() {
    return produced;
  }

  int capacity() {
    return 1 << logEntries;
  }

  /** Return the parity of this round. */
  int round() {
    return (int) (produced >>> logEntries) & 1;
  }

  /** Write the filled entry; false if host memory did not take it. */
  boolean post() {
    long at = base + (produced & (capacity() - 1L)) * ENTRY;
    produced++;
    return bus.write(at, entry, 0, ENTRY - 1L) == BusMaster.OK && bus.write(at + ENTRY - 1, entry, ENTRY - 1L, 1) == BusMaster.OK;
  }
}
