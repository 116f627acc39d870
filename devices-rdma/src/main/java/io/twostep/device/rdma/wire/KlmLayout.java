package io.twostep.device.rdma.wire;

/** Place the fields of a translation entry that names a piece of another key: of any length (KLM), or of the same length each (KSM). */
public final class KlmLayout {
  /** Bytes of an entry. */
  public static final int SIZE = 16;

  /** Bytes of the piece; unused where all are the same. */
  public static final Be32 LENGTH = new Be32(0);

  /** The key; {@link #NULL_KEY} for none, where accesses fault or are refused. */
  public static final Be32 KEY = new Be32(4);

  /** First address in that key. */
  public static final Be64 ADDRESS = new Be64(8);

  /** No key. */
  public static final int NULL_KEY = 0;

  private KlmLayout() {}
}
