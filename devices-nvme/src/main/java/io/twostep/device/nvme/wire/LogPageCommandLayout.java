package io.twostep.device.nvme.wire;

/**
 * Place what get log page adds to the submission queue entry (Base 5.16).
 *
 * <pre>
 *     31    16  15  14  8 7   0
 * 40 | NUMDL  |RAE| LSP  | LID |
 *     31    16 15           0
 * 44 |  LSI   |    NUMDU    |     dwords, zero-based
 * 48 |        LPO           |     8 bytes
 * 56 | CSI[31:24]           |
 * </pre>
 */
public final class LogPageCommandLayout {
  /** Log page: one of the {@code LID_} values. */
  public static final U8 LID = new U8(40);

  /** Log specific field and {@link #RAE}. */
  public static final U8 LSP = new U8(41);

  /** In LSP: retain the asynchronous event. */
  public static final Bits RAE = Bits.bit(7);

  /** Dwords less one, low 16 bits. */
  public static final U16 NUMDL = new U16(42);

  /** Dwords less one, high 16 bits. */
  public static final U16 NUMDU = new U16(44);

  /** Offset in the log page in bytes, a multiple of 4. */
  public static final U64 LPO = new U64(48);

  /** Command set identifier. */
  public static final U8 CSI = new U8(59);

  /** {@link ErrorLogLayout}. */
  public static final int LID_ERROR = 0x01;

  /** {@link SmartLogLayout}. */
  public static final int LID_SMART = 0x02;

  /** {@link FirmwareSlotLayout}. */
  public static final int LID_FIRMWARE_SLOT = 0x03;

  /** Ids of the namespaces that changed, 4 bytes each, ascending, ended by 0. */
  public static final int LID_CHANGED_NAMESPACES = 0x04;

  private LogPageCommandLayout() {}
}
