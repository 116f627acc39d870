package io.twostep.device.nvme.wire;

/**
 * Place the fields of the NVM command set's identify controller structure, CNS 6 (NVM 4.1.5.4).
 *
 * <pre>
 *  0  VSL WZSL WUSL DMRL    DMRSL DMSL
 * </pre>
 */
public final class NvmControllerLayout {
  /** Bytes of the structure. */
  public static final int SIZE = 4096;

  /** Largest verify, as a power of two of CAP.MPSMIN pages; 0 is no limit. */
  public static final U8 VSL = new U8(0);

  /** Largest write zeroes, as a power of two of CAP.MPSMIN pages; 0 is no limit. */
  public static final U8 WZSL = new U8(1);

  /** Largest write uncorrectable, as a power of two of CAP.MPSMIN pages; 0 is no limit. */
  public static final U8 WUSL = new U8(2);

  /** Most dataset management ranges; 0 is no limit. */
  public static final U8 DMRL = new U8(3);

  /** Most blocks of one dataset management range; 0 is no limit. */
  public static final U32 DMRSL = new U32(4);

  /** Most blocks of all dataset management ranges together; 0 is no limit. */
  public static final U64 DMSL = new U64(8);

  private NvmControllerLayout() {}
}
