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
  /** Return the smallest shape with room for {@code entries}. */
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
