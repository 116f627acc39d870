package io.twostep.device.nvme.wire;

/**
 * Name the bits of CAP, the controller capabilities (Base 3.1.3.1).
 *
 * <pre>
 * 63   61  60   59   58 57   56   55    52 51    48 47 46 45  44  37 36    35   32 31 24 23 19 18 17 16  15   0
 * | rsv |CRIMS|CRWMS|rsv|CMBS|PMRS|MPSMAX|MPSMIN|rsv|BPS| CSS  |NSSRS| DSTRD | TO | rsv | AMS |CQR| MQES |
 * </pre>
 */
public final class CapLayout {
  /** Maximum queue entries, zero-based. */
  public static final Bits MQES = new Bits(15, 0);

  /** Queues must be physically contiguous. */
  public static final Bits CQR = Bits.bit(16);

  /** Arbitration mechanisms besides round robin. */
  public static final Bits AMS = new Bits(18, 17);

  /** Worst case time for CSTS.RDY to follow CC.EN, in units of 500 ms. */
  public static final Bits TO = new Bits(31, 24);

  /** Doorbell stride: doorbells are {@code 4 << DSTRD} bytes apart. */
  public static final Bits DSTRD = new Bits(35, 32);

  /** Subsystem reset supported. */
  public static final Bits NSSRS = Bits.bit(36);

  /** Command sets: see {@link #CSS_NVM} and {@link #CSS_IOCSS}. */
  public static final Bits CSS = new Bits(44, 37);

  /** Boot partitions supported. */
  public static final Bits BPS = Bits.bit(45);

  /** Smallest memory page: {@code 1 << (12 + MPSMIN)} bytes. */
  public static final Bits MPSMIN = new Bits(51, 48);

  /** Largest memory page: {@code 1 << (12 + MPSMAX)} bytes. */
  public static final Bits MPSMAX = new Bits(55, 52);

  /** Persistent memory region supported. */
  public static final Bits PMRS = Bits.bit(56);

  /** Controller memory buffer supported: CMBLOC and CMBSZ may be enabled by CMBMSC. */
  public static final Bits CMBS = Bits.bit(57);

  /** CRTO.CRWMT counts. */
  public static final Bits CRWMS = Bits.bit(59);

  /** Ready independent of media supported. */
  public static final Bits CRIMS = Bits.bit(60);

  /** In CSS: the NVM command set. */
  public static final int CSS_NVM = 1;

  /** In CSS: one or more command sets, to be chosen by CC.CSS = 6. */
  public static final int CSS_IOCSS = 1 << 6;

  private CapLayout() {}
}
