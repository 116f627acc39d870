package io.twostep.device.nvme.wire;

/**
 * Place what creating and deleting I/O queues adds to the submission queue entry (Base 5.4 to 5.7). PRP1 is the queue.
 *
 * <pre>
 *     31       16 15       0
 * 40 |  entries  | queue id |     entries less one
 * 44 | vector or |  flags   |     submission queue: completion queue id in [31:16]
 *    |   CQ id   |          |
 * </pre>
 */
public final class QueueCommandLayout {
  /** The queue. */
  public static final U16 QUEUE_ID = new U16(40);

  /** Entries, less one. */
  public static final U16 ENTRIES = new U16(42);

  /** Flags. */
  public static final U16 FLAGS = new U16(44);

  /** For a completion queue: its interrupt vector. */
  public static final U16 VECTOR = new U16(46);

  /** For a submission queue: its completion queue. */
  public static final U16 COMPLETION_QUEUE_ID = new U16(46);

  /** In FLAGS: physically contiguous. */
  public static final Bits PC = Bits.bit(0);

  /** In FLAGS of a completion queue: interrupts enabled. */
  public static final Bits IEN = Bits.bit(1);

  /** In FLAGS of a submission queue: priority. */
  public static final Bits QPRIO = new Bits(2, 1);

  private QueueCommandLayout() {}
}
