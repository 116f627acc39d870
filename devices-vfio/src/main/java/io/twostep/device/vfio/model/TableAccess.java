package io.twostep.device.vfio.model;

import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A buffer of the host as the device reaches it: through a table of addresses and lengths, piece by piece. */
final class TableAccess {
  /** Bytes of an entry: address u64, length u64. */
  static final int ENTRY = 16;

  private static final int MOST_ENTRIES = 1 << 20;
  private static final int PIECE = 16384;

  private final BusMaster bus;
  private final long[] address;
  private final long[] length;
  private int entry;
  private long inEntry;

  private TableAccess(BusMaster bus, int entries) {
    this.bus = bus;
    address = new long[entries];
    length = new long[entries];
  }

  /** Read a table; returns null if the bus refuses it, or it is not one. */
  static @Nullable TableAccess read(BusMaster bus, long table, long entries) {
    if (entries <= 0 || entries > MOST_ENTRIES) {
      return null;
    }
    TableAccess access = new TableAccess(bus, (int) entries);
    MemorySegment words = MemorySegment.ofArray(new byte[(int) entries * ENTRY]);
    if (bus.read(table, words, 0, words.byteSize()) != BusMaster.OK) {
      return null;
    }
    for (int i = 0; i < entries; i++) {
      access.address[i] = words.get(CommandLayout.U64, (long) i * ENTRY);
      access.length[i] = words.get(CommandLayout.U64, (long) i * ENTRY + Long.BYTES);
      if (access.length[i] < 0) {
        return null;
      }
    }
    return access;
  }

  /** Move the next piece of {@code bytes} from {@code done} on; returns the bytes moved, -1 if the bus refused or the table is too short. */
  int move(byte[] bytes, int done, boolean toHost) {
    while (entry < address.length && inEntry == length[entry]) {
      entry++;
      inEntry = 0;
    }
    if (entry == address.length) {
      return -1;
    }
    int count = (int) Math.min(Math.min(PIECE, bytes.length - done), length[entry] - inEntry);
    MemorySegment segment = MemorySegment.ofArray(bytes);
    long at = address[entry] + inEntry;
    inEntry += count;
    int status = toHost ? bus.write(at, segment, done, count) : bus.read(at, segment, done, count);
    return status == BusMaster.OK && count > 0 ? count : -1;
  }
}
