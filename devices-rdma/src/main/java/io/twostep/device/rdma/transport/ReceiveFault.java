package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.Psn;
import io.twostep.device.rdma.wire.RcOpcode.Kind;

/**
 * A page fault of the receive that the message under way goes to: which packet met it, and how much of the message has come behind that packet. A SEND does not say how long it is
 * (IBA 9.4.1), so that the packets that came too early to be stored are all that tells how much of the receive will be needed.
 */
final class ReceiveFault {
  /** Bytes of the message, from its first on, whose packets have come without a gap, stored or not. */
  private long arrived;

  /** The packet that goes on from there, unless {@link #ended}. */
  private int next;

  private boolean ended;

  /** Bytes of the message up to the end of the packet that met the fault; 0 if none did, or it was told. */
  private long faulted;

  /** Take note that the bytes of a packet, which go up to {@code end} of the message, could not be stored. */
  void meet(Packet packet, long end) {
    faulted = end;
    if (end > arrived) {
      arrive(packet, end);
    }
  }

  /** Take note of a packet that came before its turn. */
  void pass(Packet packet) {
    boolean goesOn = packet.opcode.kind() == Kind.SEND && !packet.opcode.begins();
    if (arrived > 0 && !ended && packet.psn == next && goesOn) {
      arrive(packet, arrived + packet.payloadLength());
    }
  }

  private void arrive(Packet packet, long end) {
    arrived = end;
    next = Psn.add(packet.psn, 1);
    ended = packet.opcode.ends();
  }

  /** Return how many bytes of the message have come behind the packet that met a fault, once for each; negative if none did. */
  long takeBehind() {
    long behind = faulted == 0 ? -1 : arrived - faulted;
    faulted = 0;
    return behind;
  }

  /** Forget the message: it has ended. */
  void clear() {
    arrived = 0;
    faulted = 0;
  }
}
