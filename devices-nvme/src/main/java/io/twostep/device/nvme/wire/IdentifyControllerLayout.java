package io.twostep.device.nvme.wire;

/**
 * Place the fields of the identify controller structure, CNS 1 (Base 5.17.2.1).
 *
 * <pre>
 *    0  VID SSVID SN MN FR RAB ... MDTS CNTLID VER RTD3R RTD3E OAES CTRATT     identity, limits
 *  256  OACS ACL AERL FRMW LPA ELPE NPSS ... HMPRE HMMIN ... HMMINDS HMMAXD    admin commands
 *  512  SQES CQES MAXCMD NN ONCS FUSES FNA VWC ... SGLS MNAN                    I/O commands
 *  768  SUBNQN                                                                  name
 * 1792  fabrics
 * 2048  power states
 * </pre>
 */
public final class IdentifyControllerLayout {
  /** Bytes of the structure. */
  public static final int SIZE = 4096;

  /** PCI vendor. */
  public static final U16 VID = new U16(0);

  /** PCI subsystem vendor. */
  public static final U16 SSVID = new U16(2);

  /** Serial number, ASCII. */
  public static final Bytes SN = new Bytes(4, 20);

  /** Model number, ASCII. */
  public static final Bytes MN = new Bytes(24, 40);

  /** Firmware revision, ASCII. */
  public static final Bytes FR = new Bytes(64, 8);

  /** Recommended arbitration burst, as a power of two. */
  public static final U8 RAB = new U8(72);

  /** IEEE OUI. */
  public static final Bytes IEEE = new Bytes(73, 3);

  /** Multi-path and sharing. */
  public static final U8 CMIC = new U8(76);

  /** Largest transfer, as a power of two of CAP.MPSMIN pages; 0 is no limit. */
  public static final U8 MDTS = new U8(77);

  /** Controller id. */
  public static final U16 CNTLID = new U16(78);

  /** Version, as in VS. */
  public static final U32 VER = new U32(80);

  /** Latency of resuming from D3, in microseconds. */
  public static final U32 RTD3R = new U32(84);

  /** Time to shut down for D3, in microseconds. */
  public static final U32 RTD3E = new U32(88);

  /** Optional asynchronous events supported. */
  public static final U32 OAES = new U32(92);

  /** Controller attributes. */
  public static final U32 CTRATT = new U32(96);

  /** Controller type: 1 is an I/O controller. */
  public static final U8 CNTRLTYPE = new U8(111);

  /** Command retry delay 1, in units of 100 ms. */
  public static final U16 CRDT1 = new U16(128);

  /** Command retry delay 2, in units of 100 ms. */
  public static final U16 CRDT2 = new U16(130);

  /** Command retry delay 3, in units of 100 ms. */
  public static final U16 CRDT3 = new U16(132);

  /** Optional admin commands supported. */
  public static final U16 OACS = new U16(256);

  /** Abort commands that may be outstanding, less one. */
  public static final U8 ACL = new U8(258);

  /** Asynchronous event requests that may be outstanding, less one. */
  public static final U8 AERL = new U8(259);

  /** Firmware updates. */
  public static final U8 FRMW = new U8(260);

  /** Log page attributes. */
  public static final U8 LPA = new U8(261);

  /** Error log entries, less one. */
  public static final U8 ELPE = new U8(262);

  /** Power states, less one. */
  public static final U8 NPSS = new U8(263);

  /** Warning temperature in kelvin. */
  public static final U16 WCTEMP = new U16(266);

  /** Critical temperature in kelvin. */
  public static final U16 CCTEMP = new U16(268);

  /** Host memory buffer preferred, in units of 4 KiB. */
  public static final U32 HMPRE = new U32(272);

  /** Host memory buffer minimum, in units of 4 KiB. */
  public static final U32 HMMIN = new U32(276);

  /** Keep alive granularity, in units of 100 ms. */
  public static final U16 KAS = new U16(320);

  /** Smallest host memory buffer descriptor, in units of 4 KiB. */
  public static final U32 HMMINDS = new U32(332);

  /** Most host memory buffer descriptors; 0 is no limit. */
  public static final U16 HMMAXD = new U16(336);

  /** Submission queue entry sizes, powers of two: required[3:0], maximum[7:4]. */
  public static final U8 SQES = new U8(512);

  /** Completion queue entry sizes, powers of two: required[3:0], maximum[7:4]. */
  public static final U8 CQES = new U8(513);

  /** Most outstanding commands of a queue; 0 is not stated. */
  public static final U16 MAXCMD = new U16(514);

  /** Number of namespaces. */
  public static final U32 NN = new U32(516);

  /** Optional I/O commands supported. */
  public static final U16 ONCS = new U16(520);

  /** Fused operations. */
  public static final U16 FUSES = new U16(522);

  /** Format attributes. */
  public static final U8 FNA = new U8(524);

  /** Volatile write cache. */
  public static final U8 VWC = new U8(525);

  /** Atomic write unit in blocks, less one. */
  public static final U16 AWUN = new U16(526);

  /** Atomic write unit at power fail in blocks, less one. */
  public static final U16 AWUPF = new U16(528);

  /** Atomic compare and write unit in blocks, less one. */
  public static final U16 ACWU = new U16(532);

  /** SGL support. */
  public static final U32 SGLS = new U32(536);

  /** Most namespaces that may exist. */
  public static final U32 MNAN = new U32(540);

  /** NVM subsystem qualified name, UTF-8, ended by 0. */
  public static final Bytes SUBNQN = new Bytes(768, 256);

  /** Fabrics: I/O capsule command size. */
  public static final U32 IOCCSZ = new U32(1792);

  /** Fabrics: I/O capsule response size. */
  public static final U32 IORCSZ = new U32(1796);

  /** Fabrics: in-capsule data offset. */
  public static final U16 ICDOFF = new U16(1800);

  /** Fabrics: most SGL descriptors of a capsule. */
  public static final U8 MSDBD = new U8(1803);

  /** Power state descriptors, 32 bytes each. */
  public static final Bytes POWER_STATES = new Bytes(2048, 1024);

  /** In OACS: format. */
  public static final Bits OACS_FORMAT = Bits.bit(1);

  /** In OACS: doorbell buffer config, that is shadow doorbells. */
  public static final Bits OACS_DOORBELL_BUFFER = Bits.bit(8);

  /** In OAES: namespace attribute notices. */
  public static final Bits OAES_NAMESPACE_NOTICES = Bits.bit(8);

  /** In LPA: the length and offset of get log page are extended. */
  public static final Bits LPA_EXTENDED = Bits.bit(2);

  /** In ONCS: compare. */
  public static final Bits ONCS_COMPARE = Bits.bit(0);

  /** In ONCS: write uncorrectable. */
  public static final Bits ONCS_WRITE_UNCORRECTABLE = Bits.bit(1);

  /** In ONCS: dataset management. */
  public static final Bits ONCS_DATASET_MANAGEMENT = Bits.bit(2);

  /** In ONCS: write zeroes. */
  public static final Bits ONCS_WRITE_ZEROES = Bits.bit(3);

  /** In ONCS: saving features. */
  public static final Bits ONCS_FEATURES_SAVE = Bits.bit(4);

  /** In ONCS: reservations. */
  public static final Bits ONCS_RESERVATIONS = Bits.bit(5);

  /** In ONCS: timestamp. */
  public static final Bits ONCS_TIMESTAMP = Bits.bit(6);

  /** In ONCS: verify. */
  public static final Bits ONCS_VERIFY = Bits.bit(7);

  /** In VWC: a volatile write cache is present. */
  public static final Bits VWC_PRESENT = Bits.bit(0);

  /** In VWC: what flush with all namespaces does: 2 refused, 3 supported. */
  public static final Bits VWC_FLUSH_ALL = new Bits(2, 1);

  /** In SGLS: support for data; one of the {@code SGLS_} values. */
  public static final Bits SGLS_SUPPORT = new Bits(1, 0);

  /** In SGLS: keyed descriptors. */
  public static final Bits SGLS_KEYED = Bits.bit(2);

  /** In SGLS: bit buckets. */
  public static final Bits SGLS_BIT_BUCKET = Bits.bit(16);

  /** In SGLS: flat metadata buffers may begin at any byte. */
  public static final Bits SGLS_METADATA_BYTE_ALIGNED = Bits.bit(17);

  /** In SGLS: an SGL may be longer than the data. */
  public static final Bits SGLS_LONGER = Bits.bit(18);

  /** In SGLS: MPTR may point at an SGL. */
  public static final Bits SGLS_METADATA = Bits.bit(19);

  /** In SGLS: addresses may be offsets. */
  public static final Bits SGLS_OFFSET = Bits.bit(20);

  /** In SGLS_SUPPORT: none. */
  public static final int SGLS_NONE = 0;

  /** In SGLS_SUPPORT: no alignment is asked for. */
  public static final int SGLS_BYTE = 1;

  /** In SGLS_SUPPORT: addresses and lengths must be multiples of four. */
  public static final int SGLS_DWORD = 2;

  private IdentifyControllerLayout() {}
}
