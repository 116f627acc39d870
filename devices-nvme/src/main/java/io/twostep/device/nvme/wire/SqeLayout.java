package io.twostep.device.nvme.wire;

/**
 * Place the fields that all submission queue entries share (Base 3.3.3.1).
 *
 * <pre>
 *        3        2        1        0
 *  0 |   command id    | flags  | opcode |     flags: PSDT[7:6], FUSE[1:0]
 *  4 |              NSID                 |
 *  8 |              CDW2                 |
 * 12 |              CDW3                 |
 * 16 |              MPTR                 |     8 bytes
 * 24 |  PRP1 8 bytes, PRP2 8 bytes       |     or one SGL descriptor, 16 bytes
 * 40 |           CDW10 .. CDW15          |     of the command: the ...CommandLayout classes
 * </pre>
 */
public final class SqeLayout {
  /** Bytes of an entry. */
  public static final int SIZE = 64;

  /** {@link #SIZE} as a power of two, for CC.IOSQES. */
  public static final int SIZE_SHIFT = 6;

  /** Opcode: {@link AdminOpcode} or {@link NvmOpcode}. */
  public static final U8 OPCODE = new U8(0);

  /** Fuse and data pointer kind. */
  public static final U8 FLAGS = new U8(1);

  /** In FLAGS: fused operation; 1 first, 2 second. */
  public static final Bits FUSE = new Bits(1, 0);

  /** In FLAGS: data pointer kind, one of the {@code PSDT_} values. */
  public static final Bits PSDT = new Bits(7, 6);

  /** Command id, echoed by the completion. */
  public static final U16 COMMAND_ID = new U16(2);

  /** Namespace id. */
  public static final U32 NSID = new U32(4);

  /** Command dword 2. */
  public static final U32 CDW2 = new U32(8);

  /** Command dword 3. */
  public static final U32 CDW3 = new U32(12);

  /** Metadata pointer: a flat buffer, or with {@link #PSDT_SGL_META_SGL} an SGL segment. */
  public static final U64 MPTR = new U64(16);

  /** First PRP entry. */
  public static final U64 PRP1 = new U64(24);

  /** Second PRP entry, or the PRP list. */
  public static final U64 PRP2 = new U64(32);

  /** Where the SGL descriptor begins: at PRP1. */
  public static final int SGL1 = 24;

  /** Command dword 10. */
  public static final U32 CDW10 = new U32(40);

  /** Command dword 11. */
  public static final U32 CDW11 = new U32(44);

  /** Command dword 12. */
  public static final U32 CDW12 = new U32(48);

  /** Command dword 13. */
  public static final U32 CDW13 = new U32(52);

  /** Command dword 14. */
  public static final U32 CDW14 = new U32(56);

  /** Command dword 15. */
  public static final U32 CDW15 = new U32(60);

  /** In PSDT: PRP entries. */
  public static final int PSDT_PRP = 0;

  /** In PSDT: an SGL; MPTR is a flat buffer. */
  public static final int PSDT_SGL = 1;

  /** In PSDT: an SGL; MPTR points at an SGL segment with one descriptor or a segment descriptor. */
  public static final int PSDT_SGL_META_SGL = 2;

  /** Namespace id that means all of them. */
  public static final int NSID_ALL = 0xffffffff;

  private SqeLayout() {}
}
