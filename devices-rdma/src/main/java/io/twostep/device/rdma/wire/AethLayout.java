package io.twostep.device.rdma.wire;

/**
 * Place the fields of the acknowledgement header, and name its codes (IBA 9.3.5, 9.7.5).
 *
 * <pre>
 *  0 | syndrome, 8 bits | message sequence number, 24 bits |
 *
 *      syndrome: 000 ccccc  acknowledgement, ccccc receive credits (31: not counted)
 *                001 ttttt  receiver not ready, ttttt time to wait: RnrTimer
 *                011 nnnnn  negative acknowledgement, one of the NAK_ codes
 * </pre>
 */
public final class AethLayout {
  /** Bytes of the header. */
  public static final int SIZE = 4;

  /** The only word: {@link #KIND}, {@link #CODE} and {@link #MSN}. */
  public static final Be32 WORD = new Be32(0);

  /** In WORD: one of the {@code KIND_} values. */
  public static final Bits KIND = new Bits(31, 29);

  /** In WORD: what the kind says. */
  public static final Bits CODE = new Bits(28, 24);

  /** In WORD: messages that the responder has completed, modulo 2^24. */
  public static final Bits MSN = new Bits(23, 0);

  /** In KIND: acknowledgement. */
  public static final int KIND_ACK = 0;

  /** In KIND: receiver not ready. */
  public static final int KIND_RNR = 1;

  /** In KIND: negative acknowledgement. */
  public static final int KIND_NAK = 3;

  /** In CODE of an acknowledgement: receive credits are not counted. */
  public static final int CREDITS_NOT_COUNTED = 31;

  /** In CODE: a packet is missing before this one. */
  public static final int NAK_SEQUENCE_ERROR = 0;

  /** In CODE: the request makes no sense. */
  public static final int NAK_INVALID_REQUEST = 1;

  /** In CODE: the memory key does not permit it. */
  public static final int NAK_REMOTE_ACCESS = 2;

  /** In CODE: the responder failed for reasons of its own. */
  public static final int NAK_REMOTE_OPERATIONAL = 3;

  private AethLayout() {}
}
