package io.twostep.device.nvme.wire;

/**
 * Place the controller registers in BAR 0 (Base 3.1.3, PCIe 3.1.1).
 *
 * <pre>
 *        7   6   5   4     3   2   1   0
 * 0x00 |              CAP              |
 * 0x08 |     INTMS     |      VS       |
 * 0x10 |      CC       |     INTMC     |
 * 0x18 |     CSTS      |   reserved    |
 * 0x20 |      AQA      |     NSSR      |
 * 0x28 |              ASQ              |
 * 0x30 |              ACQ              |
 * 0x38 |     CMBSZ     |    CMBLOC     |
 * 0x40 |           boot partition      |
 * 0x50 |            CMBMSC             |
 * 0x58 |    reserved   |    CMBSTS     |
 * 0x68 |    reserved   |     CRTO      |
 * 0x1000  doorbells: {@link DoorbellLayout}
 * </pre>
 *
 * <p>64-bit registers may be accessed as two halves, low half first; some controllers accept nothing else. A register that reads
 * all ones means that the controller is gone.
 */
public final class RegisterLayout {
  /** Controller capabilities: {@link CapLayout}. */
  public static final U64 CAP = new U64(0x00);

  /** Version: major[31:16], minor[15:8], tertiary[7:0]. */
  public static final U32 VS = new U32(0x08);

  /** Interrupt mask set, for pin and MSI only. */
  public static final U32 INTMS = new U32(0x0c);

  /** Interrupt mask clear, for pin and MSI only. */
  public static final U32 INTMC = new U32(0x10);

  /** Controller configuration: {@link CcLayout}. */
  public static final U32 CC = new U32(0x14);

  /** Controller status: {@link CstsLayout}. */
  public static final U32 CSTS = new U32(0x1c);

  /** Subsystem reset: writing {@link #NSSR_MAGIC} resets. */
  public static final U32 NSSR = new U32(0x20);

  /** Admin queue attributes: {@link AqaLayout}. */
  public static final U32 AQA = new U32(0x24);

  /** Admin submission queue base, bits 63:12. */
  public static final U64 ASQ = new U64(0x28);

  /** Admin completion queue base, bits 63:12. */
  public static final U64 ACQ = new U64(0x30);

  /** Controller memory buffer location: {@link CmbLayout}. */
  public static final U32 CMBLOC = new U32(0x38);

  /** Controller memory buffer size: {@link CmbLayout}. */
  public static final U32 CMBSZ = new U32(0x3c);

  /** Boot partition information. */
  public static final U32 BPINFO = new U32(0x40);

  /** Boot partition read select. */
  public static final U32 BPRSEL = new U32(0x44);

  /** Boot partition memory buffer location. */
  public static final U64 BPMBL = new U64(0x48);

  /** Controller memory buffer memory space control: {@link CmbLayout}. */
  public static final U64 CMBMSC = new U64(0x50);

  /** Controller memory buffer status: {@link CmbLayout#CBAI}. */
  public static final U32 CMBSTS = new U32(0x58);

  /** Controller ready timeouts: {@link #CRTO_CRWMT} and {@link #CRTO_CRIMT}. */
  public static final U32 CRTO = new U32(0x68);

  /** Ready with media timeout, in units of 500 ms. */
  public static final Bits CRTO_CRWMT = new Bits(15, 0);

  /** Ready independent of media timeout, in units of 500 ms. */
  public static final Bits CRTO_CRIMT = new Bits(31, 16);

  /** Major version of VS. */
  public static final Bits VS_MAJOR = new Bits(31, 16);

  /** Minor version of VS. */
  public static final Bits VS_MINOR = new Bits(15, 8);

  /** Tertiary version of VS. */
  public static final Bits VS_TERTIARY = new Bits(7, 0);

  /** What NSSR takes to reset the subsystem: "NVMe". */
  public static final int NSSR_MAGIC = 0x4e564d65;

  /** What a 32-bit register reads once the controller is gone. */
  public static final int GONE = 0xffffffff;

  /** Length of the registers before the doorbells. */
  public static final int SIZE = 0x1000;

  private RegisterLayout() {}
}
