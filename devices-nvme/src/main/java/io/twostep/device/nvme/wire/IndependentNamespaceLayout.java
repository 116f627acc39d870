package io.twostep.device.nvme.wire;

/**
 * Place the fields of the command set independent identify namespace structure, CNS 8 (Base 5.17.2.8).
 *
 * <pre>
 *  0  NSFEAT NMIC RESCAP FPI ANAGRPID     NSATTR rsv NVMSETID GID NSTAT
 * </pre>
 */
public final class IndependentNamespaceLayout {
  /** Bytes of the structure. */
  public static final int SIZE = 4096;

  /** Features. */
  public static final U8 NSFEAT = new U8(0);

  /** Multi-path and sharing. */
  public static final U8 NMIC = new U8(1);

  /** Reservation capabilities. */
  public static final U8 RESCAP = new U8(2);

  /** Format progress. */
  public static final U8 FPI = new U8(3);

  /** Asymmetric access group. */
  public static final U32 ANAGRPID = new U32(4);

  /** Attributes: write protected[0]. */
  public static final U8 NSATTR = new U8(8);

  /** NVM set. */
  public static final U16 NVMSETID = new U16(10);

  /** Endurance group. */
  public static final U16 ENDGID = new U16(12);

  /** Status. */
  public static final U8 NSTAT = new U8(14);

  /** In NSTAT: the namespace is ready. */
  public static final Bits NSTAT_READY = Bits.bit(0);

  private IndependentNamespaceLayout() {}
}
