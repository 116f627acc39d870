package io.twostep.device.nvme.wire;

/**
 * Name the bits of CSTS, the controller status (Base 3.1.3.6).
 *
 * <pre>
 * 31 6  5    4   3  2  1   0
 * |rsv| PP |NSSRO|SHST|CFS|RDY|
 * </pre>
 */
public final class CstsLayout {
  /** Ready: follows CC.EN. */
  public static final Bits RDY = Bits.bit(0);

  /** Controller fatal status: only a reset helps. */
  public static final Bits CFS = Bits.bit(1);

  /** Shutdown status: {@link #SHST_NORMAL}, {@link #SHST_OCCURRING} or {@link #SHST_COMPLETE}. */
  public static final Bits SHST = new Bits(3, 2);

  /** A subsystem reset occurred; writing 1 clears it. */
  public static final Bits NSSRO = Bits.bit(4);

  /** Processing paused. */
  public static final Bits PP = Bits.bit(5);

  /** In SHST: no shutdown. */
  public static final int SHST_NORMAL = 0;

  /** In SHST: shutdown in progress. */
  public static final int SHST_OCCURRING = 1;

  /** In SHST: shutdown complete. */
  public static final int SHST_COMPLETE = 2;

  private CstsLayout() {}
}
