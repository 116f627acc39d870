package io.twostep.device.nvme.wire;

/**
 * Name the bits of AQA, the admin queue sizes (Base 3.1.3.8). Both are zero-based.
 *
 * <pre>
 * 31 28 27   16 15 12 11    0
 * | rsv | ACQS | rsv | ASQS |
 * </pre>
 */
public final class AqaLayout {
  /** Entries of the admin submission queue, less one. */
  public static final Bits ASQS = new Bits(11, 0);

  /** Entries of the admin completion queue, less one. */
  public static final Bits ACQS = new Bits(27, 16);

  /** Fewest entries that either admin queue may have. */
  public static final int MIN_ENTRIES = 2;

  /** Most entries that either admin queue may have. */
  public static final int MAX_ENTRIES = 4096;

  private AqaLayout() {}
}
