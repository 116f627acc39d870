package io.twostep.device.nvme.wire;

/**
 * Name the bits of CMBLOC, CMBSZ, CMBMSC and CMBSTS, the controller memory buffer (Base 3.1.3.11, 3.1.3.12, 3.1.3.16, 3.1.3.17).
 *
 * <pre>
 *         63                              12 11       2  1    0
 * CMBMSC |               CBA               |   rsv    |CMSE|CRE|
 *
 *         31       12 11  9   8    7      6       5     4     3   2   0
 * CMBLOC |   OFST    | rsv |CQDA|CDMMMS|CDPCILS|CDPMLS|CQPDS|CQMMS| BIR |
 *
 *         31       12 11    8 7   5  4   3    2    1    0
 * CMBSZ  |    SZ     |  SZU  | rsv |WDS|RDS|LISTS|CQS| SQS |
 * </pre>
 */
public final class CmbLayout {
  /** In CMBLOC: the BAR that holds the buffer. */
  public static final Bits BIR = new Bits(2, 0);

  /** In CMBLOC: offset in the BAR, in units of CMBSZ. */
  public static final Bits OFST = new Bits(31, 12);

  /** In CMBLOC: the PRP lists or SGL segments of one command may lie in the buffer in part (CMB data pointer mixed locations support). */
  public static final Bits CDPMLS = Bits.bit(5);

  /** In CMBLOC: lists may lie in the buffer whose command does not (CMB data pointer and command independent locations support). */
  public static final Bits CDPCILS = Bits.bit(6);

  /** In CMBLOC: data and metadata of one command may lie in the buffer in part (CMB data metadata mixed memory support). */
  public static final Bits CDMMMS = Bits.bit(7);

  /** In CMBSZ: submission queues may be placed in the buffer. */
  public static final Bits SQS = Bits.bit(0);

  /** In CMBSZ: completion queues may be placed in the buffer. */
  public static final Bits CQS = Bits.bit(1);

  /** In CMBSZ: PRP lists and SGL segments may be placed in the buffer. */
  public static final Bits LISTS = Bits.bit(2);

  /** In CMBSZ: data that the controller hands to the host may be placed in the buffer. */
  public static final Bits RDS = Bits.bit(3);

  /** In CMBSZ: data that the host hands to the controller may be placed in the buffer. */
  public static final Bits WDS = Bits.bit(4);

  /** In CMBSZ: the unit, {@code 1 << (12 + 4 * SZU)} bytes. */
  public static final Bits SZU = new Bits(11, 8);

  /** In CMBSZ: size in units. */
  public static final Bits SZ = new Bits(31, 12);

  /** In CMBMSC: CMBLOC and CMBSZ become readable. */
  public static final Bits CRE = Bits.bit(0);

  /** In CMBMSC: the controller claims the bus addresses that begin at CBA. */
  public static final Bits CMSE = Bits.bit(1);

  /** In CMBMSC: bus address of the buffer, in units of 4 KiB. */
  public static final Bits CBA = new Bits(63, 12);

  /** In CMBSTS: CBA is no address that the controller can claim, and it claims none. */
  public static final Bits CBAI = Bits.bit(0);

  private CmbLayout() {}

  /** Return the unit of CMBLOC.OFST and CMBSZ.SZ in bytes; reserved values of SZU saturate at 2^62. */
  public static long unit(int cmbsz) {
    return 1L << Math.min(12 + 4 * SZU.get(cmbsz), 62);
  }

  /** Return the size of the buffer in bytes; saturates where the register claims more than 2^63 - 1. */
  public static long size(int cmbsz) {
    return saturated(SZ.get(cmbsz), unit(cmbsz));
  }

  /** Return the offset of the buffer in its BAR in bytes; saturates where the registers claim more than 2^63 - 1. */
  public static long offset(int cmbloc, int cmbsz) {
    return saturated(OFST.get(cmbloc), unit(cmbsz));
  }

  private static long saturated(long count, long unit) {
    return Math.multiplyHigh(count, unit) != 0 || count * unit < 0 ? Long.MAX_VALUE : count * unit;
  }
}
