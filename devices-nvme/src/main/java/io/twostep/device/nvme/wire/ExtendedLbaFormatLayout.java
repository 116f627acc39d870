package io.twostep.device.nvme.wire;

/**
 * Name the bits of one extended LBA format of {@link NvmNamespaceLayout} (NVM 4.1.5.3).
 *
 * <pre>
 * 31 13 12  9 8   7 6   0
 * | rsv | QPIF | PIF | STS |
 * </pre>
 */
public final class ExtendedLbaFormatLayout {
  /** Bytes of a format. */
  public static final int SIZE = 4;

  /** The one word of an extended format, relative to its offset. */
  public static final U32 WORD = new U32(0);

  /** In an extended format: storage tag size in bits. */
  public static final Bits STS = new Bits(6, 0);

  /** In an extended format: guard type, one of the {@code PIF_} values. */
  public static final Bits PIF = new Bits(8, 7);

  /** In an extended format: guard type if PIF is {@link #PIF_QUALIFIED}. */
  public static final Bits QPIF = new Bits(12, 9);

  /** In PIF: 16-bit guard, tuples of 8 bytes. */
  public static final int PIF_GUARD_16 = 0;

  /** In PIF: 32-bit guard, tuples of 16 bytes. */
  public static final int PIF_GUARD_32 = 1;

  /** In PIF: 64-bit guard, tuples of 16 bytes. */
  public static final int PIF_GUARD_64 = 2;

  /** In PIF: see QPIF. */
  public static final int PIF_QUALIFIED = 3;

  private ExtendedLbaFormatLayout() {}
}
