package io.twostep.device.rdma.wire;

/**
 * Place the fields of the header of an atomic request (IBA 9.3.4).
 *
 * <pre>
 *  0 |  virtual address, 8 bytes   |
 *  8 |        remote key           |
 * 12 |  value to swap in or to add, 8 bytes  |
 * 20 |  value to compare with, 8 bytes       |
 * </pre>
 */
public final class AtomicEthLayout {
  /** Bytes of the header. */
  public static final int SIZE = 28;

  /** Address in the responder's memory key, a multiple of 8. */
  public static final Be64 ADDRESS = new Be64(0);

  /** The responder's memory key. */
  public static final Be32 REMOTE_KEY = new Be32(8);

  /** Value to swap in, or to add. */
  public static final Be64 SWAP_OR_ADD = new Be64(12);

  /** Value that the old one must equal for a swap. */
  public static final Be64 COMPARE = new Be64(20);

  private AtomicEthLayout() {}
}
