package io.twostep.device.nvme.wire;

/**
 * Name the bits of one LBA format of {@link IdentifyNamespaceLayout} (NVM 4.1.5.1).
 *
 * <pre>
 * 31 26 25 24 23   16 15      0
 * | rsv | RP | LBADS |   MS   |
 * </pre>
 */
public final class LbaFormatLayout {
  /** Bytes of a format. */
  public static final int SIZE = 4;

  /** The one word of a format, relative to its offset. */
  public static final U32 WORD = new U32(0);

  /** Metadata bytes per block. */
  public static final Bits MS = new Bits(15, 0);

  /** Block size as a power of two: at least 9. */
  public static final Bits LBADS = new Bits(23, 16);

  /** Relative performance: 0 is best. */
  public static final Bits RP = new Bits(25, 24);

  private LbaFormatLayout() {}
}
