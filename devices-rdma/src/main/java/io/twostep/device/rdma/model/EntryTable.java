package io.twostep.device.rdma.model;

import org.jspecify.annotations.Nullable;

/** Translation entries in the adapter's own memory: numbers, absent ones 0; takes memory where some are present. */
final class EntryTable {
  private static final int SHIFT = 9;
  private static final int PART = 1 << SHIFT;

  private final long[] @Nullable [] parts;
  private final long capacity;

  EntryTable(long capacity) {
    this.capacity = capacity;
    parts = new long[(int) ((capacity + PART - 1) >>> SHIFT)][];
  }

  long capacity() {
    return capacity;
  }

  long get(long index) {
    long[] part = index >= 0 && index < capacity ? parts[(int) (index >>> SHIFT)] : null;
    return part == null ? 0 : part[(int) index & (PART - 1)];
  }

  void set(long index, long value) {
    int number = (int) (index >>> SHIFT);
    long[] part = parts[number];
    if (part == null) {
      if (value == 0) {
        return;
      }
      part = new long[PART];
      parts[number] = part;
    }
    part[(int) index & (PART - 1)] = value;
  }
}
