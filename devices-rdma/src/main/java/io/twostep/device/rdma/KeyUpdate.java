package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.KeyUpdateLayout;
import io.twostep.device.rdma.wire.WqeLayout;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One change of a memory key: of its context, of some of its translation entries, or both.
 *
 * @param key the key
 * @param shape its shape
 * @param flags {@link KeyUpdateLayout#CHECK_FREE}, or 0
 * @param mask what of the context changes
 * @param context what to; null with a mask of 0
 * @param first number of the first entry
 * @param entries how many entries change
 * @param dataKey key of the new entries
 * @param dataAddress where they lie
 */
record KeyUpdate(
    int key, KeyShape shape, int flags, long mask, @Nullable KeyContext context, long first, int entries, int dataKey, long dataAddress) {
  /** The most entries of one change. */
  static final int MOST_ENTRIES = 0xffff;

  /** Change entries. */
  static KeyUpdate ofEntries(int key, KeyShape shape, long first, int entries, int dataKey, long dataAddress) {
    return new KeyUpdate(key, shape, 0, 0, null, first, entries, dataKey, dataAddress);
  }

  /** Change the context. */
  static KeyUpdate ofContext(int key, KeyShape shape, int flags, long mask, KeyContext context) {
    return new KeyUpdate(key, shape, flags, mask, context, 0, 0, 0, 0);
  }

  /** Write what follows the control segment of a send entry, which is zero. */
  void write(MemorySegment queue, long at) {
    KeyUpdateLayout.FLAGS.set(queue, at, flags);
    KeyUpdateLayout.ENTRIES.set(queue, at, entries);
    KeyUpdateLayout.OFFSET_LOW.set(queue, at, (int) first & 0xffff);
    KeyUpdateLayout.OFFSET_HIGH.set(queue, at, (int) (first >>> Short.SIZE));
    KeyUpdateLayout.MASK.set(queue, at, mask);
    if (context != null) {
      context.write(queue, at + KeyUpdateLayout.CONTEXT_BASE, shape);
    }
    WqeLayout.DATA_LENGTH.set(queue, at + KeyUpdateLayout.DATA, entries * shape.entrySize());
    WqeLayout.DATA_KEY.set(queue, at + KeyUpdateLayout.DATA, dataKey);
    WqeLayout.DATA_ADDRESS.set(queue, at + KeyUpdateLayout.DATA, dataAddress);
  }
}
