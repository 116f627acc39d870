package io.twostep.device.nvme.wire;

/** Name the I/O commands of the NVM command set (NVM 3.2). Bit 0 set: the host hands data to the controller; bit 1: the reverse. */
public final class NvmOpcode {
  /** Flush: no data. */
  public static final int FLUSH = 0x00;

  /** Write. */
  public static final int WRITE = 0x01;

  /** Read. */
  public static final int READ = 0x02;

  /** Write uncorrectable: no data. */
  public static final int WRITE_UNCORRECTABLE = 0x04;

  /** Compare: the host's data with the medium's. */
  public static final int COMPARE = 0x05;

  /** Write zeroes: no data. */
  public static final int WRITE_ZEROES = 0x08;

  /** Dataset management: {@link DsmCommandLayout}. */
  public static final int DATASET_MANAGEMENT = 0x09;

  /** Verify: reads and checks, no data. */
  public static final int VERIFY = 0x0c;

  private NvmOpcode() {}
}
