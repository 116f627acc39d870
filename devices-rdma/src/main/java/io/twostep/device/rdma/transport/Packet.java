package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.AethLayout;
import io.twostep.device.rdma.wire.RcOpcode;
import java.lang.foreign.MemorySegment;

/** One packet, taken apart; which of the values count is the opcode's to say. */
public final class Packet {
  static final MemorySegment NO_PAYLOAD = MemorySegment.ofArray(new byte[0]);

  final RcOpcode opcode;
  final int destination;
  final int psn;
  boolean ackRequest;
  boolean solicited;

  /** Of the RDMA or atomic header. */
  long address;

  /** Of the RDMA or atomic header. */
  int key;

  /** Bytes of the whole message, of the RDMA header. */
  long length;

  /** Of the atomic header. */
  long swapOrAdd;

  /** Of the atomic header. */
  long compare;

  /** The acknowledgement header's word. */
  int acknowledgement;

  /** Of the atomic acknowledgement header. */
  long original;

  /** Immediate data or a key to invalidate. */
  int extra;

  MemorySegment payload = NO_PAYLOAD;

  Packet(RcOpcode opcode, int destination, int psn) {
    this.opcode = opcode;
    this.destination = destination;
    this.psn = psn;
  }

  /** Return the number of the queue pair it goes to. */
  public int destination() {
    return destination;
  }

  /** Return what it is. */
  public RcOpcode opcode() {
    return opcode;
  }

  /** Return its sequence number. */
  public int psn() {
    return psn;
  }

  /** Return the bytes of its payload. */
  public int payloadLength() {
    return (int) payload.byteSize();
  }

  int acknowledgementKind() {
    return AethLayout.KIND.get(acknowledgement);
  }

  int acknowledgementCode() {
    return AethLayout.CODE.get(acknowledgement);
  }

  Packet acknowledging(int kind, int code, int msn) {
    acknowledgement = AethLayout.MSN.with(AethLayout.CODE.with(AethLayout.KIND.with(0, kind), code), msn);
    return this;
  }

  @Override
  public String toString() {
    return opcode + " psn " + psn + " to " + destination + ", " + payload.byteSize() + " bytes";
  }
}
