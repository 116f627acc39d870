package io.twostep.device.rdma.wire;

/**
 * Place the fields of the input that makes a memory key. The context is that of mlx5; its translation entries are not in the input but stay in host memory, where the
 * adapter reads them.
 *
 * <pre>
 *  0x0c | P                          |   page faults
 *  0x10 | context, 64 bytes          |
 * 0x110 | address of the translation entries |
 * </pre>
 */
public final class MkeyLayout {
  /** Bytes of the input. */
  public static final int SIZE = 0x118;

  /** Flags in front of the context: {@link #PAGE_FAULTS}. */
  public static final Be32 FLAGS = new Be32(0x0c);

  /** In FLAGS: entries say whether pages are present and writable. */
  public static final Bits PAGE_FAULTS = Bits.bit(31);

  /** Access: bits below. */
  public static final Be32 ACCESS = new Be32(0x10);

  /** In ACCESS: the key is invalid. */
  public static final Bits FREE = Bits.bit(30);

  /** In ACCESS: send entries may change the key. */
  public static final Bits UPDATABLE = Bits.bit(15);

  /** In ACCESS: peers may send atomics. */
  public static final Bits ATOMIC = Bits.bit(14);

  /** In ACCESS: peers may WRITE. */
  public static final Bits REMOTE_WRITE = Bits.bit(13);

  /** In ACCESS: peers may READ. */
  public static final Bits REMOTE_READ = Bits.bit(12);

  /** In ACCESS: the own queue pairs may store. */
  public static final Bits LOCAL_WRITE = Bits.bit(11);

  /** In ACCESS: the own queue pairs may load. */
  public static final Bits LOCAL_READ = Bits.bit(10);

  /** In ACCESS: one of the {@code MODE_} values. */
  public static final Bits MODE = new Bits(9, 8);

  /** In MODE: addresses are DMA addresses. */
  public static final int MODE_PHYSICAL = 0;

  /** In MODE: addresses go through translation entries. */
  public static final int MODE_TABLE = 1;

  /** Low byte of the key, which the driver chooses. */
  public static final Be32 KEY = new Be32(0x14);

  /** In KEY: that byte. */
  public static final Bits VARIANT = new Bits(7, 0);

  /** Domain and kind: bits below. */
  public static final Be32 DOMAIN = new Be32(0x1c);

  /** In DOMAIN: the key covers all 64-bit addresses. */
  public static final Bits LENGTH64 = Bits.bit(31);

  /** In DOMAIN: peers may invalidate it. */
  public static final Bits REMOTE_INVALIDATE = Bits.bit(24);

  /** In DOMAIN: protection domain. */
  public static final Bits PROTECTION_DOMAIN = new Bits(23, 0);

  /** First address. */
  public static final Be64 START = new Be64(0x20);

  /** Bytes. */
  public static final Be64 LENGTH = new Be64(0x28);

  /** Last word of the context: {@link #LOG_PAGE_SIZE}. */
  public static final Be32 PAGE_SIZE = new Be32(0x4c);

  /** In PAGE_SIZE: bytes that an entry translates, as a power of two. */
  public static final Bits LOG_PAGE_SIZE = new Bits(5, 0);

  /** DMA address of the translation entries. */
  public static final Be64 TABLE = new Be64(0x110);

  private MkeyLayout() {}
}
