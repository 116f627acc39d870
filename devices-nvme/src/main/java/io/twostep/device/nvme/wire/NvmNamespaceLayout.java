package io.twostep.device.nvme.wire;

/**
 * Place the fields of the NVM command set's identify namespace structure, CNS 5 (NVM 4.1.5.3).
 *
 * <pre>
 *   0  LBSTM
 *   8  PIC
 *  12  ELBAF 0 .. 63     {@link ExtendedLbaFormatLayout}
 * </pre>
 */
public final class NvmNamespaceLayout {
  /** Bytes of the structure. */
  public static final int SIZE = 4096;

  /** Logical block storage tag mask. */
  public static final U64 LBSTM = new U64(0);

  /** Protection information capabilities. */
  public static final U8 PIC = new U8(8);

  /** Extended LBA formats, 4 bytes each, parallel to LBAF. */
  public static final Bytes ELBAF = new Bytes(12, 256);

  private NvmNamespaceLayout() {}

  /** Return the byte offset of extended LBA format {@code index}. */
  public static long extendedFormat(int index) {
    return ELBAF.offset() + (long) index * ExtendedLbaFormatLayout.SIZE;
  }
}
