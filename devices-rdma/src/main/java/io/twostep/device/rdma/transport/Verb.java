package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.RcOpcode.Extra;
import io.twostep.device.rdma.wire.RcOpcode.Kind;

/** What a work request of a send queue wants. */
public enum Verb {
  /** Send to what the receiver posted. */
  SEND(Kind.SEND, Extra.NONE),
  /** Send, with immediate data. */
  SEND_IMMEDIATE(Kind.SEND, Extra.IMMEDIATE),
  /** Send, and invalidate a key of the receiver. */
  SEND_INVALIDATE(Kind.SEND, Extra.INVALIDATE),
  /** Write to an address of the peer. */
  WRITE(Kind.WRITE, Extra.NONE),
  /** Write, and tell the receiver with immediate data. */
  WRITE_IMMEDIATE(Kind.WRITE, Extra.IMMEDIATE),
  /** Read from an address of the peer. */
  READ(Kind.READ, Extra.NONE),
  /** Replace 8 bytes of the peer if they are as expected. */
  COMPARE_SWAP(Kind.ATOMIC, Extra.NONE),
  /** Add to 8 bytes of the peer. */
  FETCH_ADD(Kind.ATOMIC, Extra.NONE),
  /** Nothing for the wire: executed in its turn by the adapter alone. */
  LOCAL(Kind.ACKNOWLEDGE, Extra.NONE);

  final Kind kind;
  final Extra extra;

  Verb(Kind kind, Extra extra) {
    this.kind = kind;
    this.extra = extra;
  }

  /** Tell whether it is done by an answer that carries data, so that an acknowledgement alone does not end it. */
  boolean isAnswered() {
    return kind == Kind.READ || kind == Kind.ATOMIC;
  }
}
