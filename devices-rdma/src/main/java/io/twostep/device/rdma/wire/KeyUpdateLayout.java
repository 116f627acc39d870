package io.twostep.device.rdma.wire;

/**
 * Place the parts of a send entry that changes a memory key from the data path (UMR): behind the control segment, whose {@link WqeLayout#EXTRA} names the key.
 *
 * <pre>
 *  16 | flags |     | entries, 2 | offset 15:0, 2 |   update control, 48 bytes
 *  24 | mask, 8                                   |
 *  32 | offset 47:16                              |
 *  64 | context, 64 bytes: see {@link MkeyLayout} |
 * 128 | length, key, address                      |   data segment: the new translation entries
 * </pre>
 *
 * <p>Count and offset are translation entries; mlx5 counts 16 bytes and rounds to 64.
 */
public final class KeyUpdateLayout {
  /** Bytes of the whole entry. */
  public static final int SIZE = 144;

  /** Where the context would begin if it were the input that makes a key: add this to use {@link MkeyLayout}. */
  public static final int CONTEXT_BASE = 64 - MkeyLayout.CONTEXT;

  /** Where the data segment begins. */
  public static final int DATA = 128;

  /** Flags: {@link #CHECK_FREE}. */
  public static final U8 FLAGS = new U8(16);

  /** In FLAGS: only if the key is invalid. */
  public static final int CHECK_FREE = 0x40;

  /** Translation entries that are replaced. */
  public static final Be16 ENTRIES = new Be16(20);

  /** Lower bits of the number of the first entry. */
  public static final Be16 OFFSET_LOW = new Be16(22);

  /** Which parts of the context are replaced: the {@code MASK_} bits. */
  public static final Be64 MASK = new Be64(24);

  /** Upper bits of the number of the first entry. */
  public static final Be32 OFFSET_HIGH = new Be32(32);

  /** In MASK: {@link MkeyLayout#LENGTH}. */
  public static final long MASK_LENGTH = 1;

  /** In MASK: {@link MkeyLayout#PAGE_SIZE}. */
  public static final long MASK_PAGE_SIZE = 1L << 1;

  /** In MASK: {@link MkeyLayout#START}. */
  public static final long MASK_START = 1L << 6;

  /** In MASK: {@link MkeyLayout#PROTECTION_DOMAIN}. */
  public static final long MASK_DOMAIN = 1L << 7;

  /** In MASK: {@link MkeyLayout#REMOTE_INVALIDATE}. */
  public static final long MASK_REMOTE_INVALIDATE = 1L << 8;

  /** In MASK: {@link MkeyLayout#VARIANT}. */
  public static final long MASK_VARIANT = 1L << 13;

  /** In MASK: {@link MkeyLayout#LOCAL_READ}. */
  public static final long MASK_LOCAL_READ = 1L << 17;

  /** In MASK: {@link MkeyLayout#LOCAL_WRITE}. */
  public static final long MASK_LOCAL_WRITE = 1L << 18;

  /** In MASK: {@link MkeyLayout#REMOTE_READ}. */
  public static final long MASK_REMOTE_READ = 1L << 19;

  /** In MASK: {@link MkeyLayout#REMOTE_WRITE}. */
  public static final long MASK_REMOTE_WRITE = 1L << 20;

  /** In MASK: {@link MkeyLayout#ATOMIC}. */
  public static final long MASK_ATOMIC = 1L << 21;

  /** In MASK: {@link MkeyLayout#FREE}. */
  public static final long MASK_FREE = 1L << 29;

  private KeyUpdateLayout() {}
}
