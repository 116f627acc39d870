package io.twostep.device.rdma.wire;

/** Place the fields of a completion entry; its last byte is stored last and tells whose it is. */
public final class CqeLayout {
  /** Bytes of an entry. */
  public static final int SIZE = 64;

  /** Immediate data or the key that was invalidated. */
  public static final Be32 EXTRA = new Be32(36);

  /** Bytes moved. */
  public static final Be32 BYTE_COUNT = new Be32(44);

  /** Of an error: {@link CompletionStatus#syndrome}. */
  public static final U8 SYNDROME = new U8(55);

  /** The queue pair, in the low 24 bits. */
  public static final Be32 QUEUE_PAIR = new Be32(56);

  /** Number of the entry that ended, modulo 2^16. */
  public static final Be16 WQE_COUNTER = new Be16(60);

  /** Kind and owner: to be acquired before any other field. */
  public static final U8 KIND_OWNER = new U8(63);

  /** In KIND_OWNER: one of the {@code KIND_} values. */
  public static final Bits KIND = new Bits(7, 4);

  /** In KIND_OWNER: the parity of the adapter's rounds: 0 in the first. */
  public static final Bits OWNER = Bits.bit(0);

  /** In KIND: a send entry. */
  public static final int KIND_REQUEST = 0;

  /** In KIND: a receive for a WRITE with immediate data. */
  public static final int KIND_WRITE_IMMEDIATE = 1;

  /** In KIND: a receive. */
  public static final int KIND_SEND = 2;

  /** In KIND: a receive with immediate data. */
  public static final int KIND_SEND_IMMEDIATE = 3;

  /** In KIND: a receive whose sender invalidated a key. */
  public static final int KIND_SEND_INVALIDATE = 4;

  /** In KIND: a send entry that failed. */
  public static final int KIND_REQUEST_ERROR = 13;

  /** In KIND: a receive that failed. */
  public static final int KIND_RESPONSE_ERROR = 14;

  /** In KIND: never written. */
  public static final int KIND_INVALID = 15;

  private CqeLayout() {}
}
