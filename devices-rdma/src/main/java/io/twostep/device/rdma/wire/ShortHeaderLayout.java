package io.twostep.device.rdma.wire;

/** Place the headers of a single field: immediate data, the key to invalidate, what an atomic found, and the invariant CRC (IBA 9.3.6, 9.3.7, 9.5.3, 7.8.1). */
public final class ShortHeaderLayout {
  /** Bytes of the immediate data header. */
  public static final int IMMEDIATE_SIZE = 4;

  /** Immediate data: 32 bits for the receiver's completion. */
  public static final Be32 IMMEDIATE = new Be32(0);

  /** Bytes of the invalidate header. */
  public static final int INVALIDATE_SIZE = 4;

  /** The receiver's memory key to invalidate. */
  public static final Be32 INVALIDATE_KEY = new Be32(0);

  /** Bytes of the atomic acknowledgement header. */
  public static final int ATOMIC_ACK_SIZE = 8;

  /** What memory held before the atomic. */
  public static final Be64 ATOMIC_ORIGINAL = new Be64(0);

  /** Bytes of the invariant CRC, the last of every packet. */
  public static final int ICRC_SIZE = 4;

  private ShortHeaderLayout() {}
}
