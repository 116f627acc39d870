package io.twostep.device.nvme.wire;

/**
 * Place the fields of one error information log entry, newest first in log page 1 (Base 5.16.1.2).
 *
 * <pre>
 *         7..0
 *   0 | error count                                    |
 *   8 | SQ id u16, command id u16, status u16, location u16 |
 *  16 | LBA                                            |
 *  24 | NSID u32, vendor u8, transport u8, reserved    |
 *  32 | command specific                               |
 *  40 | transport specific u16, reserved               |
 * </pre>
 */
public final class ErrorLogLayout {
  /** Bytes of the structure. */
  public static final int SIZE = 64;

  /** Identifier of the error, counted from 1; 0 marks an unused entry. */
  public static final U64 ERROR_COUNT = new U64(0);

  /** Submission queue; all ones if no command caused it. */
  public static final U16 SQ_ID = new U16(8);

  /** Command; all ones if no command caused it. */
  public static final U16 COMMAND_ID = new U16(10);

  /** Status and phase, as in {@link CqeLayout}. */
  public static final U16 STATUS_PHASE = new U16(12);

  /** Where in the command: byte[7:0], bit[10:8]; all ones if not stated. */
  public static final U16 PARAMETER_LOCATION = new U16(14);

  /** First block that failed. */
  public static final U64 LBA = new U64(16);

  /** Namespace. */
  public static final U32 NSID = new U32(24);

  /** Vendor log page with more; 0 is none. */
  public static final U8 VENDOR_LOG = new U8(28);

  /** Transport type. */
  public static final U8 TRANSPORT = new U8(29);

  /** By command. */
  public static final U64 COMMAND_SPECIFIC = new U64(32);

  /** By transport. */
  public static final U16 TRANSPORT_SPECIFIC = new U16(40);

  /** Queue or command id that means none. */
  public static final int NONE = 0xffff;

  private ErrorLogLayout() {}
}
