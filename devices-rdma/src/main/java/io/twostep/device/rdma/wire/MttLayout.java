package io.twostep.device.rdma.wire;

/** Place the bits of a translation entry: a page's DMA address, and for keys that may fault, what the page may be used for. */
public final class MttLayout {
  /** Bytes of an entry. */
  public static final int SIZE = 8;

  /** The entry. */
  public static final Be64 ENTRY = new Be64(0);

  /** The page may be read: it is present. */
  public static final long READ = 1;

  /** The page may be written. */
  public static final long WRITE = 2;

  /** The bits that are the address. */
  public static final long ADDRESS = ~0xffL;

  private MttLayout() {}
}
