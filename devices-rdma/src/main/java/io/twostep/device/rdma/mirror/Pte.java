package io.twostep.device.rdma.mirror;

/**
 * An entry of a process's page table, in a long.
 *
 * <pre>
 *  62          36 34           8   3    2     1       0
 * +--------------+--------------+-+----+-----+-----+-------+
 * |  swap slot   |    frame     | |SLOT|DIRTY|WRITE|PRESENT|
 * +--------------+--------------+-+----+-----+-----+-------+
 * </pre>
 *
 * <p>WRITE: the process may write the page as it is, so nobody else maps the frame. DIRTY: newer than the slot, or there is none. A present page keeps its slot, so that a clean one needs
 * no writing to go out again. 0: absent and never written.
 */
final class Pte {
  static final long PRESENT = 1;
  static final long WRITE = 2;
  static final long DIRTY = 4;
  static final long SLOT = 8;
  static final int FRAME_BITS = 27;

  private static final int FRAME_SHIFT = 8;
  private static final int SLOT_SHIFT = 36;
  private static final long MASK = (1L << FRAME_BITS) - 1;

  private Pte() {}

  static boolean has(long pte, long bits) {
    return (pte & bits) == bits;
  }

  static int frame(long pte) {
    return (int) ((pte >>> FRAME_SHIFT) & MASK);
  }

  static int slot(long pte) {
    return (int) ((pte >>> SLOT_SHIFT) & MASK);
  }

  /** Return the entry with a frame, present. */
  static long withFrame(long pte, int frame) {
    return (pte & ~(MASK << FRAME_SHIFT)) | ((long) frame << FRAME_SHIFT) | PRESENT;
  }

  /** Return the entry without its frame and what goes with it. */
  static long absent(long pte) {
    return pte & ~((MASK << FRAME_SHIFT) | PRESENT | WRITE | DIRTY);
  }

  static long withSlot(long pte, int slot) {
    return withoutSlot(pte) | ((long) slot << SLOT_SHIFT) | SLOT;
  }

  static long withoutSlot(long pte) {
    return pte & ~((MASK << SLOT_SHIFT) | SLOT);
  }
}
