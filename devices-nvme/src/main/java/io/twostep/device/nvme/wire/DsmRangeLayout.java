package io.twostep.device.nvme.wire;

/**
 * Place the fields of one dataset management range (NVM 3.2.3).
 *
 * <pre>
 *     15..8    7..4       3..0
 * |  SLBA  |   NLB   | attributes |
 * </pre>
 */
public final class DsmRangeLayout {
  /** Bytes of a range. */
  public static final int SIZE = 16;

  /** Most ranges of a command. */
  public static final int MAX_RANGES = 256;

  /** Bytes that a host hands over: several controllers read them all whatever the count says. */
  public static final int BUFFER_SIZE = SIZE * MAX_RANGES;

  /** Context attributes. */
  public static final U32 ATTRIBUTES = new U32(0);

  /** Number of blocks, not zero-based. */
  public static final U32 NLB = new U32(4);

  /** First block. */
  public static final U64 SLBA = new U64(8);

  private DsmRangeLayout() {}
}
