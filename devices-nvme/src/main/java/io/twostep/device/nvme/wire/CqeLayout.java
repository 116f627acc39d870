package io.twostep.device.nvme.wire;

/**
 * Place the fields of a completion queue entry (Base 3.3.3.2).
 *
 * <pre>
 *        3        2        1        0
 *  0 |             result               |     8 bytes: DW0 and DW1
 *  8 |      SQ id      |     SQ head    |
 * 12 | status[15:1], P |   command id   |
 * </pre>
 *
 * <p>The controller stores the word at 14 last. A reader acquires it, compares {@link #PHASE} with the phase of its round, and only
 * then reads the rest.
 */
public final class CqeLayout {
  /** Bytes of an entry. */
  public static final int SIZE = 16;

  /** {@link #SIZE} as a power of two, for CC.IOCQES. */
  public static final int SIZE_SHIFT = 4;

  /** Result of the command: dwords 0 and 1. */
  public static final U64 RESULT = new U64(0);

  /** Dword 0 of the result alone. */
  public static final U32 RESULT_LOW = new U32(0);

  /** Where the controller has got to in the submission queue. */
  public static final U16 SQ_HEAD = new U16(8);

  /** The submission queue. */
  public static final U16 SQ_ID = new U16(10);

  /** The command's id. */
  public static final U16 COMMAND_ID = new U16(12);

  /** Phase and status: to be acquired before any other field. */
  public static final U16 STATUS_PHASE = new U16(14);

  /** In STATUS_PHASE: the phase tag, inverted at every round of the queue. */
  public static final Bits PHASE = Bits.bit(0);

  /** In STATUS_PHASE: the status, whose own bits {@link StatusCode} names. */
  public static final Bits STATUS = new Bits(15, 1);

  private CqeLayout() {}
}
