package io.twostep.device.vfio.model;

import io.twostep.device.vfio.wire.CommandLayout;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.BitSet;

/** The device's own memory: what it remembers of the commands it did. Knows which pages changed since a tracked save. */
final class InternalMemory {
  static final int PAGE = 4096;

  private static final int RECORD = 16;

  private final byte[] bytes;
  private final MemorySegment segment;
  private final BitSet changed = new BitSet();
  private final BitSet changedBefore = new BitSet();
  private final int pages;

  InternalMemory(int pages) {
    this.pages = pages;
    bytes = new byte[pages * PAGE];
    segment = MemorySegment.ofArray(bytes);
  }

  int pages() {
    return pages;
  }

  /** Remember a command: its number and its sum, at a place that depends on both, and how many there were. */
  void remember(int id, int checksum) {
    int slot = Integer.remainderUnsigned(id * 31 + checksum, pages * (PAGE / RECORD));
    long at = (long) slot * RECORD;
    segment.set(CommandLayout.U32, at, id);
    segment.set(CommandLayout.U32, at + 4, checksum);
    segment.set(CommandLayout.U64, at + 8, segment.get(CommandLayout.U64, at + 8) + 1);
    changed.set((int) (at / PAGE));
  }

  /** Return how many pages an image has. */
  int pagesOf(boolean incremental) {
    return incremental ? changed.cardinality() : pages;
  }

  void save(ByteBuffer image, boolean incremental) {
    for (int page = 0; page < pages; page++) {
      if (!incremental || changed.get(page)) {
        image.putInt(page).put(bytes, page * PAGE, PAGE);
      }
    }
  }

  void markSaved() {
    changedBefore.clear();
    changedBefore.or(changed);
    changed.clear();
  }

  /** What was marked as saved last was not. */
  void markUnsaved() {
    changed.or(changedBefore);
  }

  void load(ByteBuffer image, int page) {
    image.get(bytes, page * PAGE, PAGE);
    changed.set(page);
  }

  void reset() {
    java.util.Arrays.fill(bytes, (byte) 0);
    changed.clear();
  }
}
