package io.twostep.device.nvme.wire;

/**
 * Place the fields of the identify namespace structure, CNS 0 (NVM 4.1.5.1).
 *
 * <pre>
 *   0  NSZE NCAP NUSE                                     blocks
 *  24  NSFEAT NLBAF FLBAS MC DPC DPS NMIC ... DLFEAT ...   features
 *  64  NPWG NPWA NPDG NPDA NOWS                            preferred sizes
 * 104  NGUID EUI64                                         identity
 * 128  LBAF 0 .. 63                                        {@link LbaFormatLayout}
 * 384  vendor specific
 * </pre>
 */
public final class IdentifyNamespaceLayout {
  /** Bytes of the structure. */
  public static final int SIZE = 4096;

  /** Size in blocks. */
  public static final U64 NSZE = new U64(0);

  /** Capacity in blocks. */
  public static final U64 NCAP = new U64(8);

  /** Utilisation in blocks. */
  public static final U64 NUSE = new U64(16);

  /** Features. */
  public static final U8 NSFEAT = new U8(24);

  /** LBA formats, less one. */
  public static final U8 NLBAF = new U8(25);

  /** LBA format in use: see {@link #formatIndex}. */
  public static final U8 FLBAS = new U8(26);

  /** Metadata capabilities. */
  public static final U8 MC = new U8(27);

  /** Protection capabilities: types 1 to 3 in bits 2:0, first[3], last[4]. */
  public static final U8 DPC = new U8(28);

  /** Protection in use. */
  public static final U8 DPS = new U8(29);

  /** Multi-path and sharing. */
  public static final U8 NMIC = new U8(30);

  /** Reservation capabilities. */
  public static final U8 RESCAP = new U8(31);

  /** Format progress. */
  public static final U8 FPI = new U8(32);

  /** Deallocated blocks: what they read as in bits 2:0, write zeroes may deallocate[3], guard of them[4]. */
  public static final U8 DLFEAT = new U8(33);

  /** Atomic write unit in blocks, less one. */
  public static final U16 NAWUN = new U16(34);

  /** Atomic write unit at power fail in blocks, less one. */
  public static final U16 NAWUPF = new U16(36);

  /** Atomic compare and write unit in blocks, less one. */
  public static final U16 NACWU = new U16(38);

  /** Atomic boundary in blocks. */
  public static final U16 NABSN = new U16(40);

  /** Atomic boundary offset in blocks. */
  public static final U16 NABO = new U16(42);

  /** Atomic boundary at power fail in blocks. */
  public static final U16 NABSPF = new U16(44);

  /** Optimal I/O boundary in blocks; 0 is none. */
  public static final U16 NOIOB = new U16(46);

  /** Preferred write granularity in blocks, less one. */
  public static final U16 NPWG = new U16(64);

  /** Preferred write alignment in blocks, less one. */
  public static final U16 NPWA = new U16(66);

  /** Preferred deallocate granularity in blocks, less one. */
  public static final U16 NPDG = new U16(68);

  /** Preferred deallocate alignment in blocks, less one. */
  public static final U16 NPDA = new U16(70);

  /** Optimal write size in blocks, less one. */
  public static final U16 NOWS = new U16(72);

  /** Asymmetric access group. */
  public static final U32 ANAGRPID = new U32(92);

  /** Attributes: write protected[0]. */
  public static final U8 NSATTR = new U8(99);

  /** NVM set. */
  public static final U16 NVMSETID = new U16(100);

  /** Endurance group. */
  public static final U16 ENDGID = new U16(102);

  /** Globally unique identifier, big-endian. */
  public static final Bytes NGUID = new Bytes(104, 16);

  /** IEEE extended unique identifier, big-endian. */
  public static final Bytes EUI64 = new Bytes(120, 8);

  /** The LBA formats. */
  public static final Bytes LBAF = new Bytes(128, 256);

  /** Vendor specific. */
  public static final Bytes VENDOR = new Bytes(384, 3712);

  /** Most LBA formats. */
  public static final int MAX_FORMATS = 64;

  /** In NSFEAT: thin provisioning. */
  public static final Bits NSFEAT_THIN = Bits.bit(0);

  /** In NSFEAT: the preferred sizes are valid. */
  public static final Bits NSFEAT_OPTIMAL_SIZES = Bits.bit(4);

  /** In FLBAS: low bits of the format. */
  public static final Bits FLBAS_LOW = new Bits(3, 0);

  /** In FLBAS: metadata is interleaved with the data (extended blocks). */
  public static final Bits FLBAS_EXTENDED = Bits.bit(4);

  /** In FLBAS: high bits of the format. */
  public static final Bits FLBAS_HIGH = new Bits(6, 5);

  /** In MC: metadata interleaved with the data. */
  public static final Bits MC_EXTENDED = Bits.bit(0);

  /** In MC: metadata in a buffer of its own. */
  public static final Bits MC_SEPARATE = Bits.bit(1);

  /** In DPC: protection information may be the first bytes of the metadata. */
  public static final Bits DPC_FIRST = Bits.bit(3);

  /** In DPC: protection information may be the last bytes of the metadata. */
  public static final Bits DPC_LAST = Bits.bit(4);

  /** In DPS: protection type; 0 is none. */
  public static final Bits DPS_TYPE = new Bits(2, 0);

  /** In DPS: protection information is the first bytes of the metadata, else the last. */
  public static final Bits DPS_FIRST = Bits.bit(3);

  /** In DLFEAT: what deallocated blocks read as: 0 not stated, 1 zeroes, 2 all ones. */
  public static final Bits DLFEAT_READ = new Bits(2, 0);

  /** In DLFEAT: write zeroes may deallocate. */
  public static final Bits DLFEAT_WRITE_ZEROES = Bits.bit(3);

  /** In DLFEAT: deallocated blocks have a correct guard, else all ones. */
  public static final Bits DLFEAT_GUARD = Bits.bit(4);

  private IdentifyNamespaceLayout() {}

  /** Return the index of the LBA format that a FLBAS value selects. */
  public static int formatIndex(int flbas) {
    return (FLBAS_HIGH.get(flbas) << 4) | FLBAS_LOW.get(flbas);
  }

  /** Return the FLBAS value for a format index. */
  public static int flbas(int formatIndex, boolean extended) {
    int flbas = FLBAS_HIGH.with(FLBAS_LOW.with(0, formatIndex & 0xf), formatIndex >>> 4);
    return FLBAS_EXTENDED.with(flbas, extended ? 1 : 0);
  }

  /** Return the byte offset of LBA format {@code index}. */
  public static long lbaFormat(int index) {
    return LBAF.offset() + (long) index * LbaFormatLayout.SIZE;
  }
}
