package io.twostep.device.rdma.wire;

/**
 * Place the fields of the input that makes a memory key, whose context is that of mlx5. All translation entries are absent at first; updates fill them in, see {@link KeyUpdateLayout}.
 *
 * <pre>
 *  0x0c | P                          |   page faults
 *  0x10 | context, 64 bytes          |
 *  0x60 | room for entries, in 16 bytes |
 * </pre>
 */
public final class MkeyLayout {
  /** Bytes of the input. */
  public static final int SIZE = 0x110;

  /** Where the context begins. */
  public static final int CONTEXT = 0x10;

  /** Flags in front of the context: {@link #PAGE_FAULTS}. */
  public static final Be32 FLAGS = new Be32(0x0c);

  /** In FLAGS: entries say whether pages are present and writable. */
  public static final Bits PAGE_FAULTS = Bits.bit(31);

  /** Access: bits below. */
  public static final Be32 ACCESS = new Be32(0x10);

  /** In ACCESS: the key is invalid. */
  public static final Bits FREE = Bits.bit(30);

  /** In ACCESS: upper bits of the mode; 0 in the modes below. */
  public static final Bits MODE_HIGH = new Bits(28, 26);

  /** In ACCESS: updates may change the key. */
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

  /** In MODE: addresses go through entries that name pieces of other keys, of any length each. */
  public static final int MODE_PIECES = 2;

  /** In MODE: addresses go through entries that name pieces of other keys, of {@link #LOG_PAGE_SIZE} each. */
  public static final int MODE_EQUAL_PIECES = 3;

  /** Low byte of the key, which the driver chooses. */
  public static final Be32 KEY = new Be32(0x14);

  /** In KEY: that byte. */
  public static final Bits VARIANT = new Bits(7, 0);

  /** In the name of a key: its place in the adapter, which the adapter chooses. */
  public static final Bits INDEX = new Bits(31, 8);

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

  /** Last word but one of the context: {@link #LOG_PAGE_SIZE}. */
  public static final Be32 PAGE_SIZE = new Be32(0x48);

  /** In PAGE_SIZE: bytes that an entry translates, as a power of two. */
  public static final Bits LOG_PAGE_SIZE = new Bits(5, 0);

  /** Room for translation entries, in units of 16 bytes. */
  public static final Be32 OCTWORDS = new Be32(0x60);

  /** Bytes of the unit of {@link #OCTWORDS}. */
  public static final int OCTWORD = 16;

  private MkeyLayout() {}
}
