package io.twostep.device.rdma.wire;

/**
 * Place the segments of a send entry that changes a memory key (UMR in mlx5's words), behind the control segment, whose {@link WqeLayout#EXTRA} names the key by its index.
 *
 * <pre>
 * 16 | flags    |                  |   update control, 48 bytes
 * 24 | fields to change, 8         |
 * 64 | key context, 64             |   as {@link MkeyLayout} has it behind the input's head
 * </pre>
 */
public final class KeyUpdateLayout {
  /** Units of the entry. */
  public static final int UNITS = 8;

  /** Flags: {@link #FAIL_UNLESS_FREE}. */
  public static final U8 FLAGS = new U8(16);

  /** In FLAGS: fail unless the key is invalid. */
  public static final Bits FAIL_UNLESS_FREE = Bits.bit(5);

  /** Which fields change: bits below. */
  public static final Be64 MASK = new Be64(24);

  /** Where an {@link MkeyLayout} would begin, for its fields to be the context's. */
  public static final int CONTEXT_BASE = 64 - 0x10;

  /** In MASK: {@link MkeyLayout#LENGTH}. */
  public static final long CHANGES_LENGTH = 1;

  /** In MASK: {@link MkeyLayout#PAGE_SIZE}. */
  public static final long CHANGES_PAGE_SIZE = 1 << 1;

  /** In MASK: {@link MkeyLayout#START}. */
  public static final long CHANGES_START = 1 << 6;

  /** In MASK: {@link MkeyLayout#VARIANT}. */
  public static final long CHANGES_VARIANT = 1 << 13;

  /** In MASK: the four rights, and that of atomics. */
  public static final long CHANGES_RIGHTS = 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 21;

  /** In MASK: {@link MkeyLayout#FREE}. */
  public static final long CHANGES_FREE = 1 << 29;

  private KeyUpdateLayout() {}
}
