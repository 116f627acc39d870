package io.twostep.device.nvme.wire;

/**
 * Place the fields of the SMART / health log page, page 2 (Base 5.16.1.3). Counters are 128 bits wide; the low 64 are named.
 *
 * <pre>
 *   0  warning u8, temperature u16 (unaligned), spare u8, threshold u8, used u8
 *  32  data units read, written; commands read, written; busy; cycles; hours; unsafe shutdowns; media errors; error log entries
 * </pre>
 */
public final class SmartLogLayout {
  /** Bytes of the structure. */
  public static final int SIZE = 512;

  /** Critical warnings, a bit each. */
  public static final U8 CRITICAL_WARNING = new U8(0);

  /** Temperature in kelvin, low byte. */
  public static final U8 TEMPERATURE_LOW = new U8(1);

  /** Temperature in kelvin, high byte. */
  public static final U8 TEMPERATURE_HIGH = new U8(2);

  /** Spare left, in percent. */
  public static final U8 AVAILABLE_SPARE = new U8(3);

  /** Spare below which a warning is due, in percent. */
  public static final U8 SPARE_THRESHOLD = new U8(4);

  /** Estimate of the life used, in percent. */
  public static final U8 PERCENTAGE_USED = new U8(5);

  /** Units of 1,000 times 512 bytes read, rounded up. */
  public static final U64 DATA_UNITS_READ = new U64(32);

  /** Units of 1,000 times 512 bytes written, rounded up. */
  public static final U64 DATA_UNITS_WRITTEN = new U64(48);

  /** Read and compare commands completed. */
  public static final U64 HOST_READ_COMMANDS = new U64(64);

  /** Write commands completed. */
  public static final U64 HOST_WRITE_COMMANDS = new U64(80);

  /** Minutes busy. */
  public static final U64 BUSY_MINUTES = new U64(96);

  /** Power cycles. */
  public static final U64 POWER_CYCLES = new U64(112);

  /** Hours powered. */
  public static final U64 POWER_ON_HOURS = new U64(128);

  /** Shutdowns without notification. */
  public static final U64 UNSAFE_SHUTDOWNS = new U64(144);

  /** Unrecovered data integrity errors. */
  public static final U64 MEDIA_ERRORS = new U64(160);

  /** Error log entries over the life of the controller. */
  public static final U64 ERROR_LOG_ENTRIES = new U64(176);

  private SmartLogLayout() {}
}
