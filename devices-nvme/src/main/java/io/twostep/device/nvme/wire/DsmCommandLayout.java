package io.twostep.device.nvme.wire;

/**
 * Place what dataset management adds to the submission queue entry (NVM 3.2.3).
 *
 * <pre>
 *     31  8 7  0
 * 40 | rsv | NR |     ranges, zero-based
 *     31  3  2   1   0
 * 44 | rsv | AD|IDW|IDR|
 * </pre>
 */
public final class DsmCommandLayout {
  /** Number of ranges, less one. */
  public static final U8 NUMBER_OF_RANGES = new U8(40);

  /** Attributes. */
  public static final U32 ATTRIBUTES = new U32(44);

  /** In ATTRIBUTES: deallocate. */
  public static final Bits DEALLOCATE = Bits.bit(2);

  private DsmCommandLayout() {}
}
