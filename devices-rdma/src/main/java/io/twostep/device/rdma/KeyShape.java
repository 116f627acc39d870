package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.KlmLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.MttLayout;

/**
 * What of a memory key is settled when the adapter makes it, and no update changes.
 *
 * @param mode one of the {@code MODE_} values of {@link MkeyLayout} that have entries
 * @param faults whether absent entries make the adapter fault
 * @param logEntries room for translation entries, as a power of two
 */
record KeyShape(int mode, boolean faults, int logEntries) {
  private static final int LOG_MOST_OCTWORDS = 31;

  /**
   * Return the smallest shape with room for {@code entries}.
   *
   * @throws IllegalArgumentException if no adapter can be asked for as many, naming {@code owner}
   */
  static KeyShape of(String owner, int mode, boolean faults, long entries) {
    KeyShape shape = of(mode, faults, entries);
    int most = LOG_MOST_OCTWORDS + Integer.numberOfTrailingZeros(MkeyLayout.OCTWORD / shape.entrySize());
    if (shape.logEntries > most) {
      throw new IllegalArgumentException("%s: a key of %d translation entries; there may be %d: register in parts".formatted(owner, entries, 1L << most));
    }
    return shape;
  }

  /** Return the smallest shape with room for {@code entries}, which are few. */
  static KeyShape of(int mode, boolean faults, long entries) {
    return new KeyShape(mode, faults, Long.SIZE - Long.numberOfLeadingZeros(Math.max(1, entries - 1)));
  }

  int entrySize() {
    return mode == MkeyLayout.MODE_TABLE ? MttLayout.SIZE : KlmLayout.SIZE;
  }

  int octwords() {
    return (int) Math.max(1, ((long) entrySize() << logEntries) / MkeyLayout.OCTWORD);
  }
}
