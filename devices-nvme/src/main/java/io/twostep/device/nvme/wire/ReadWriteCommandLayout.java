package io.twostep.device.nvme.wire;

/**
 * Place what read, write, compare, verify and write zeroes add to the submission queue entry (NVM 3.2.1, 3.2.4 to 3.2.8).
 *
 * <pre>
 *        3        2        1        0
 * 12 | reference tag[47:32] of 48-bit tags |
 * 40 |              SLBA                   |     8 bytes
 * 48 |     control     |       NLB         |     zero-based
 * 52 |              DSM                    |
 * 56 |         reference tag[31:0]         |
 * 60 | application mask| application tag   |
 * </pre>
 */
public final class ReadWriteCommandLayout {
  /** Upper bits of an expected initial reference tag that is wider than 32 bits: dword 3. */
  public static final U32 REFERENCE_TAG_HIGH = new U32(12);

  /** First block. */
  public static final U64 SLBA = new U64(40);

  /** Number of blocks, less one. */
  public static final U16 NLB = new U16(48);

  /** Control bits. */
  public static final U16 CONTROL = new U16(50);

  /** Dataset management hints and directive. */
  public static final U32 DSM = new U32(52);

  /** Expected initial reference tag, low 32 bits. */
  public static final U32 REFERENCE_TAG = new U32(56);

  /** Expected application tag. */
  public static final U16 APPLICATION_TAG = new U16(60);

  /** Bits of the application tag that are checked. */
  public static final U16 APPLICATION_MASK = new U16(62);

  /** In CONTROL: limited retry. */
  public static final Bits LR = Bits.bit(15);

  /** In CONTROL: force unit access. */
  public static final Bits FUA = Bits.bit(14);

  /** In CONTROL: the controller inserts or strips the protection information. */
  public static final Bits PRACT = Bits.bit(13);

  /** In CONTROL: check the guard. */
  public static final Bits PRCHK_GUARD = Bits.bit(12);

  /** In CONTROL: check the application tag. */
  public static final Bits PRCHK_APPLICATION = Bits.bit(11);

  /** In CONTROL: check the reference tag. */
  public static final Bits PRCHK_REFERENCE = Bits.bit(10);

  /** In CONTROL of write zeroes: deallocate. */
  public static final Bits DEAC = Bits.bit(9);

  /** Most blocks that one command can name. */
  public static final int MAX_BLOCKS = 0x10000;

  private ReadWriteCommandLayout() {}
}
