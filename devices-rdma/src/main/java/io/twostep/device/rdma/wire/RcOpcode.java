package io.twostep.device.rdma.wire;

import org.jspecify.annotations.Nullable;

/** What a packet of the reliable connected service is, and which headers follow its base header (IBA 9.2.1, table 38). */
public enum RcOpcode {
  /** First packet of a SEND. */
  SEND_FIRST(0x00, Kind.SEND, true, false),
  /** Middle packet of a SEND. */
  SEND_MIDDLE(0x01, Kind.SEND, false, false),
  /** Last packet of a SEND. */
  SEND_LAST(0x02, Kind.SEND, false, true),
  /** Last packet of a SEND with immediate data. */
  SEND_LAST_IMMEDIATE(0x03, Kind.SEND, false, true, Extra.IMMEDIATE),
  /** A SEND in one packet. */
  SEND_ONLY(0x04, Kind.SEND, true, true),
  /** A SEND with immediate data in one packet. */
  SEND_ONLY_IMMEDIATE(0x05, Kind.SEND, true, true, Extra.IMMEDIATE),
  /** First packet of a WRITE. */
  WRITE_FIRST(0x06, Kind.WRITE, true, false),
  /** Middle packet of a WRITE. */
  WRITE_MIDDLE(0x07, Kind.WRITE, false, false),
  /** Last packet of a WRITE. */
  WRITE_LAST(0x08, Kind.WRITE, false, true),
  /** Last packet of a WRITE with immediate data. */
  WRITE_LAST_IMMEDIATE(0x09, Kind.WRITE, false, true, Extra.IMMEDIATE),
  /** A WRITE in one packet. */
  WRITE_ONLY(0x0a, Kind.WRITE, true, true),
  /** A WRITE with immediate data in one packet. */
  WRITE_ONLY_IMMEDIATE(0x0b, Kind.WRITE, true, true, Extra.IMMEDIATE),
  /** Request of a READ. */
  READ_REQUEST(0x0c, Kind.READ, true, true),
  /** First packet of the answer to a READ. */
  READ_RESPONSE_FIRST(0x0d, Kind.READ_RESPONSE, true, false),
  /** Middle packet of the answer to a READ. */
  READ_RESPONSE_MIDDLE(0x0e, Kind.READ_RESPONSE, false, false),
  /** Last packet of the answer to a READ. */
  READ_RESPONSE_LAST(0x0f, Kind.READ_RESPONSE, false, true),
  /** An answer to a READ in one packet. */
  READ_RESPONSE_ONLY(0x10, Kind.READ_RESPONSE, true, true),
  /** An acknowledgement, positive or not. */
  ACKNOWLEDGE(0x11, Kind.ACKNOWLEDGE, true, true),
  /** The answer to an atomic. */
  ATOMIC_ACKNOWLEDGE(0x12, Kind.ATOMIC_ACKNOWLEDGE, true, true),
  /** Request to compare and swap. */
  COMPARE_SWAP(0x13, Kind.ATOMIC, true, true),
  /** Request to fetch and add. */
  FETCH_ADD(0x14, Kind.ATOMIC, true, true),
  /** Last packet of a SEND that invalidates a key of the receiver. */
  SEND_LAST_INVALIDATE(0x16, Kind.SEND, false, true, Extra.INVALIDATE),
  /** A SEND in one packet that invalidates a key of the receiver. */
  SEND_ONLY_INVALIDATE(0x17, Kind.SEND, true, true, Extra.INVALIDATE);

  private static final @Nullable RcOpcode[] BY_CODE = new RcOpcode[256];

  static {
    for (RcOpcode opcode : values()) {
      BY_CODE[opcode.code] = opcode;
    }
  }

  private final int code;
  private final Kind kind;
  private final boolean begins;
  private final boolean ends;
  private final Extra extra;

  RcOpcode(int code, Kind kind, boolean begins, boolean ends) {
    this(code, kind, begins, ends, Extra.NONE);
  }

  RcOpcode(int code, Kind kind, boolean begins, boolean ends, Extra extra) {
    this.code = code;
    this.kind = kind;
    this.begins = begins;
    this.ends = ends;
    this.extra = extra;
  }

  /** What a message is about. */
  public enum Kind {
    /** Data for whatever the receiver posted. */
    SEND,
    /** Data for an address of the receiver. */
    WRITE,
    /** A wish for data from an address of the receiver. */
    READ,
    /** A wish to change eight bytes of the receiver at once. */
    ATOMIC,
    /** Data that was wished for. */
    READ_RESPONSE,
    /** An acknowledgement, positive or not. */
    ACKNOWLEDGE,
    /** What an atomic found. */
    ATOMIC_ACKNOWLEDGE;

    /** Tell whether a responder sends it. */
    public boolean isResponse() {
      return compareTo(READ_RESPONSE) >= 0;
    }
  }

  /** What the last packet of a message may carry besides. */
  public enum Extra {
    /** Nothing. */
    NONE,
    /** Immediate data. */
    IMMEDIATE,
    /** A key to invalidate. */
    INVALIDATE
  }

  /** Return the opcode with a code, or null if there is none. */
  public static @Nullable RcOpcode of(int code) {
    return BY_CODE[code & 0xff];
  }

  /** Return the packet of a kind of message at a place in it; READ, atomics and acknowledgements have one place only. */
  public static RcOpcode of(Kind kind, boolean begins, boolean ends, Extra extra) {
    Extra wanted = ends ? extra : Extra.NONE;
    for (RcOpcode opcode : values()) {
      if (opcode.kind == kind && opcode.begins == begins && opcode.ends == ends && opcode.extra == wanted) {
        return opcode;
      }
    }
    throw new IllegalArgumentException("no packet for " + kind + " with " + extra);
  }

  /** Return the code in the base header. */
  public int code() {
    return code;
  }

  /** Return what the message is about. */
  public Kind kind() {
    return kind;
  }

  /** Tell whether it is the first packet of its message. */
  public boolean begins() {
    return begins;
  }

  /** Tell whether it is the last packet of its message. */
  public boolean ends() {
    return ends;
  }

  /** Return what else it carries. */
  public Extra extra() {
    return extra;
  }

  /** Tell whether an {@link RethLayout} follows. */
  public boolean hasReth() {
    return kind == Kind.READ || (kind == Kind.WRITE && begins);
  }

  /** Tell whether an {@link AethLayout} follows: in the first and last packet of an answer, but in no middle one. */
  public boolean hasAeth() {
    return kind.isResponse() && (begins || ends);
  }

  /** Tell whether a payload may follow: for the others, none may. */
  public boolean hasPayload() {
    return kind == Kind.SEND || kind == Kind.WRITE || kind == Kind.READ_RESPONSE;
  }

  /** Return the bytes of all headers, base header included. */
  public int headerLength() {
    int length = BthLayout.SIZE;
    length += hasReth() ? RethLayout.SIZE : 0;
    length += hasAeth() ? AethLayout.SIZE : 0;
    length += kind == Kind.ATOMIC ? AtomicEthLayout.SIZE : 0;
    length += kind == Kind.ATOMIC_ACKNOWLEDGE ? ShortHeaderLayout.ATOMIC_ACK_SIZE : 0;
    length += extra == Extra.NONE ? 0 : ShortHeaderLayout.IMMEDIATE_SIZE;
    return length;
  }
}
