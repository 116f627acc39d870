package io.twostep.device.rdma.wire;

/** Place the fields of an event entry, and of the page-fault events in it. */
public final class EqeLayout {
  /** Bytes of an entry. */
  public static final int SIZE = 64;

  /** What happened: {@link #TYPE_PAGE_FAULT}. */
  public static final U8 TYPE = new U8(1);

  /** Which kind of it: one of the {@code FAULT_} values. */
  public static final U8 SUBTYPE = new U8(3);

  /** A page fault. */
  public static final int TYPE_PAGE_FAULT = 0x0c;

  /** In SUBTYPE: of a work request's own memory. */
  public static final int FAULT_WQE = 0;

  /** In SUBTYPE: of memory that a peer asked for. */
  public static final int FAULT_RDMA = 1;

  /** The key. */
  public static final Be32 KEY = new Be32(36);

  /** Bytes that are needed at once: the rest of the access that met the absent page. */
  public static final Be16 DEMANDED = new Be16(42);

  /** Bytes that the request will need of the key from the address on, as far as the adapter knows, and at least those that are needed at once. */
  public static final Be32 LENGTH = new Be32(44);

  /** First address that is needed. */
  public static final Be64 ADDRESS = new Be64(48);

  /** Token: {@link #RESPONDER}, {@link #WRITES} and {@link #QUEUE_PAIR}. */
  public static final Be32 TOKEN = new Be32(56);

  /** In TOKEN: whether the access is a write. */
  public static final Bits WRITES = Bits.bit(24);

  /** In TOKEN: whether a peer's request waits, and not a request of the own send queue. */
  public static final Bits RESPONDER = Bits.bit(25);

  /** In TOKEN: the queue pair that waits. */
  public static final Bits QUEUE_PAIR = new Bits(23, 0);

  /** Owner: to be acquired before any other field; the parity of the adapter's rounds, 0 in the first, {@link #NOBODY} before. */
  public static final U8 OWNER = new U8(63);

  /** In OWNER: never written. */
  public static final int NOBODY = 0xff;

  private EqeLayout() {}
}
