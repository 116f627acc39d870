package io.twostep.device.nvme.wire;

/**
 * Place the fields of protection information tuples (NVM 5.2.1). They are big-endian, unlike everything else.
 *
 * <pre>
 *               0..1      2..3        4..7
 * 16-bit guard | guard | application | reference                  |
 *               0..7      8..9        10..15
 * 64-bit guard | guard | application | storage and reference tag  |
 * </pre>
 */
public final class ProtectionTupleLayout {
  /** Bytes of a tuple with a 16-bit guard. */
  public static final int SIZE_16 = 8;

  /** Bytes of a tuple with a 64-bit guard. */
  public static final int SIZE_64 = 16;

  /** Guard of 16 bits. */
  public static final int GUARD_16 = 0;

  /** Application tag behind a 16-bit guard. */
  public static final int APPLICATION_16 = 2;

  /** Reference tag of 32 bits. */
  public static final int REFERENCE_16 = 4;

  /** Guard of 64 bits. */
  public static final int GUARD_64 = 0;

  /** Application tag behind a 64-bit guard. */
  public static final int APPLICATION_64 = 8;

  /** Reference tag of 48 bits. */
  public static final int REFERENCE_64 = 10;

  /** Application tag that turns checks off: with type 3 only if the reference tag is all ones too. */
  public static final int ESCAPE_APPLICATION = 0xffff;

  private ProtectionTupleLayout() {}
}
