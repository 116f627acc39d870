package io.twostep.device.rdma.wire;

/**
 * Place the fields of the RDMA header of a READ request or the first packet of a WRITE (IBA 9.3.3).
 *
 * <pre>
 *  0 |  virtual address, 8 bytes  |
 *  8 |        remote key          |
 * 12 |         length             |
 * </pre>
 */
public final class RethLayout {
  /** Bytes of the header. */
  public static final int SIZE = 16;

  /** Address in the responder's memory key. */
  public static final Be64 ADDRESS = new Be64(0);

  /** The responder's memory key. */
  public static final Be32 REMOTE_KEY = new Be32(8);

  /** Bytes of the whole message. */
  public static final Be32 LENGTH = new Be32(12);

  private RethLayout() {}
}
