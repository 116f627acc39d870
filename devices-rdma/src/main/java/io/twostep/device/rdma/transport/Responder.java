package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.transport.ResponderPort.Access;
import io.twostep.device.rdma.wire.AethLayout;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.Psn;
import io.twostep.device.rdma.wire.RcOpcode;
import io.twostep.device.rdma.wire.RcOpcode.Extra;
import io.twostep.device.rdma.wire.RcOpcode.Kind;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The receiving end of a connection (IBA 9.7.4, 9.7.5, 9.9.3): takes requests in the order of their numbers, checks each before a byte of it moves, and answers. A request that
 * came before is not executed again, but for READs; what an atomic found is kept.
 */
public final class Responder {
  private static final long ATOMIC_LENGTH = 8;

  private final RcConfig config;
  private final ResponderPort port;
  private final ResponseQueue responses = new ResponseQueue();
  private final AtomicCache atomics;

  private int expectedPsn;
  private int messages;

  /** What the message is about whose last packet has not come. */
  private @Nullable Kind message;

  private int key;
  private long address;
  private long remaining;
  private long received;
  private final ReceiveFault receiveFault = new ReceiveFault();

  /** Whether the requester knows that it must come back to the expected number. */
  private boolean recovering;

  private boolean failed;
  private final long[] original = new long[1];

  /** Create a responder that nothing has reached. */
  public Responder(RcConfig config, ResponderPort port) {
    this.config = config;
    this.port = port;
    atomics = new AtomicCache(config.readsIn());
    expectedPsn = config.receivePsn();
  }

  /** Tell whether it failed: it takes no more requests. */
  public boolean isFailed() {
    return failed;
  }

  /** Stop taking requests and answering them, for a reason that lies outside; what a refusal has left to be sent goes on. */
  public void stop() {
    if (!failed) {
      failed = true;
      responses.clear();
    }
  }

  /** Take a request. */
  public void receive(Packet packet) {
    if (failed) {
      return;
    }
    int distance = Psn.distance(expectedPsn, packet.psn);
    if (distance > 0) {
      if (!recovering) {
        recovering = true;
        responses.add(new Response.Acknowledge(expectedPsn, AethLayout.KIND_NAK, AethLayout.NAK_SEQUENCE_ERROR));
      }
      receiveFault.pass(packet);
      return;
    }
    if (distance < 0) {
      receiveAgain(packet);
      return;
    }
    recovering = false;
    if (packet.opcode.begins() == (message != null) || (message != null && message != packet.opcode.kind())) {
      refuse(packet.psn, AethLayout.NAK_INVALID_REQUEST, CompletionStatus.LOCAL_OPERATION);
      return;
    }
    switch (packet.opcode.kind()) {
      case SEND -> takeSend(packet);
      case WRITE -> takeWrite(packet);
      case READ -> takeRead(packet);
      case ATOMIC -> takeAtomic(packet);
      default -> throw new IllegalArgumentException(packet + " is no request");
    }
  }

  // Requests that come in order.

  private void takeSend(Packet packet) {
    long offset = packet.opcode.begins() ? 0 : received;
    if (!port.hasReceive()) {
      notReady(packet.psn);
      return;
    }
    if (!isCutWell(packet)) {
      refuse(packet.psn, AethLayout.NAK_INVALID_REQUEST, CompletionStatus.LOCAL_OPERATION);
      return;
    }
    if (offset + packet.payloadLength() > port.receiveCapacity()) {
      refuse(packet.psn, AethLayout.NAK_INVALID_REQUEST, CompletionStatus.LOCAL_LENGTH);
      return;
    }
    switch (port.scatterReceive(offset, packet.payload)) {
      case DONE -> {}
      case FAULT -> {
        receiveFault.meet(packet, offset + packet.payloadLength());
        notReady(packet.psn);
        return;
      }
      case DENIED, FAILED -> {
        refuse(packet.psn, AethLayout.NAK_REMOTE_OPERATIONAL, CompletionStatus.LOCAL_PROTECTION);
        return;
      }
    }
    if (packet.opcode.extra() == Extra.INVALIDATE && !port.invalidate(packet.extra)) {
      refuse(packet.psn, AethLayout.NAK_REMOTE_ACCESS, CompletionStatus.LOCAL_ACCESS);
      return;
    }
    received = offset + packet.payloadLength();
    finish(packet, received);
  }

  private void takeWrite(Packet packet) {
    boolean begins = packet.opcode.begins();
    int toKey = begins ? packet.key : key;
    long to = begins ? packet.address : address;
    long left = begins ? packet.length : remaining;
    if (left > RcConfig.MAX_MESSAGE) {
      refuse(packet.psn, AethLayout.NAK_INVALID_REQUEST, CompletionStatus.LOCAL_OPERATION);
      return;
    }
    if (begins && left > 0 && !port.permits(toKey, to, left, Access.WRITE)) {
      refuse(packet.psn, AethLayout.NAK_REMOTE_ACCESS, CompletionStatus.LOCAL_ACCESS);
      return;
    }
    int payload = packet.payloadLength();
    if (!isCutWell(packet) || payload > left || (packet.opcode.ends() != (payload == left))) {
      refuse(packet.psn, AethLayout.NAK_INVALID_REQUEST, CompletionStatus.LOCAL_OPERATION);
      return;
    }
    if (packet.opcode.extra() == Extra.IMMEDIATE && !port.hasReceive()) {
      notReady(packet.psn);
      return;
    }
    switch (payload == 0 ? MemoryResult.DONE : port.write(toKey, to, packet.payload, left)) {
      case DONE -> {
        received = begins ? payload : received + payload;
        key = toKey;
        address = to + payload;
        remaining = left - payload;
        finish(packet, received);
      }
      case FAULT -> notReady(packet.psn);
      case DENIED -> refuse(packet.psn, AethLayout.NAK_REMOTE_ACCESS, CompletionStatus.LOCAL_ACCESS);
      case FAILED -> refuse(packet.psn, AethLayout.NAK_REMOTE_OPERATIONAL, CompletionStatus.LOCAL_PROTECTION);
    }
  }

  private void takeRead(Packet packet) {
    if (packet.length > RcConfig.MAX_MESSAGE || responses.firstAnswers() >= config.readsIn()) {
      refuse(packet.psn, AethLayout.NAK_INVALID_REQUEST, CompletionStatus.LOCAL_OPERATION);
    } else if (packet.length > 0 && !port.permits(packet.key, packet.address, packet.length, Access.READ)) {
      refuse(packet.psn, AethLayout.NAK_REMOTE_ACCESS, CompletionStatus.LOCAL_ACCESS);
    } else {
      responses.add(new Response.Data(packet.psn, packet.key, packet.address, packet.length, true, false));
      expectedPsn = Psn.add(expectedPsn, config.packets(packet.length));
      messages++;
    }
  }

  private void takeAtomic(Packet packet) {
    if ((packet.address & (ATOMIC_LENGTH - 1)) != 0 || responses.firstAnswers() >= config.readsIn()) {
      refuse(packet.psn, AethLayout.NAK_INVALID_REQUEST, CompletionStatus.LOCAL_OPERATION);
      return;
    }
    if (!port.permits(packet.key, packet.address, ATOMIC_LENGTH, Access.ATOMIC)) {
      refuse(packet.psn, AethLayout.NAK_REMOTE_ACCESS, CompletionStatus.LOCAL_ACCESS);
      return;
    }
    boolean compared = packet.opcode == RcOpcode.COMPARE_SWAP;
    switch (port.atomic(packet.key, packet.address, compared, packet.compare, packet.swapOrAdd, original)) {
      case DONE -> {
        atomics.add(packet, original[0]);
        responses.add(new Response.Original(packet.psn, original[0], false));
        expectedPsn = Psn.add(expectedPsn, 1);
        messages++;
      }
      case FAULT -> notReady(packet.psn);
      case DENIED -> refuse(packet.psn, AethLayout.NAK_REMOTE_ACCESS, CompletionStatus.LOCAL_ACCESS);
      case FAILED -> refuse(packet.psn, AethLayout.NAK_REMOTE_OPERATIONAL, CompletionStatus.LOCAL_PROTECTION);
    }
  }

  /** Tell whether a packet of a SEND or WRITE has the length that its place in the message asks for. */
  private boolean isCutWell(Packet packet) {
    int payload = packet.payloadLength();
    if (!packet.opcode.ends()) {
      return payload == config.mtu();
    }
    return payload <= config.mtu() && (payload > 0 || packet.opcode.begins());
  }

  /** Take a packet of a SEND or WRITE as received. */
  private void finish(Packet packet, long length) {
    expectedPsn = Psn.add(expectedPsn, 1);
    message = packet.opcode.ends() ? null : packet.opcode.kind();
    if (packet.opcode.ends()) {
      messages++;
      receiveFault.clear();
      if (packet.opcode.kind() == Kind.SEND || packet.opcode.extra() == Extra.IMMEDIATE) {
        port.completeReceive(CompletionStatus.SUCCESS, packet.opcode.code(), packet.extra, length);
      }
    }
    if (packet.ackRequest) {
      responses.acknowledge(packet.psn);
    }
  }

  // Requests that came before.

  private void receiveAgain(Packet packet) {
    switch (packet.opcode.kind()) {
      case SEND, WRITE -> {
        if (packet.ackRequest) {
          responses.acknowledge(Psn.add(expectedPsn, -1));
        }
      }
      case READ -> readAgain(packet);
      case ATOMIC -> {
        Long found = atomics.find(packet);
        if (found != null) {
          boolean first = responses.withdraw(packet.psn, 1);
          responses.addInTurn(new Response.Original(packet.psn, found, !first));
        }
      }
      default -> throw new IllegalArgumentException(packet + " is no request");
    }
  }

  private void readAgain(Packet packet) {
    boolean isOld = packet.length <= RcConfig.MAX_MESSAGE && config.packets(packet.length) <= -Psn.distance(expectedPsn, packet.psn);
    if (!isOld) {
      return;
    }
    boolean first = responses.withdraw(packet.psn, config.packets(packet.length));
    if (packet.length > 0 && !port.permits(packet.key, packet.address, packet.length, Access.READ)) {
      refuseAgain(packet.psn, AethLayout.NAK_REMOTE_ACCESS);
    } else if (first || responses.answers() < config.readsIn()) {
      responses.addInTurn(new Response.Data(packet.psn, packet.key, packet.address, packet.length, true, !first));
    }
  }

  /** Tell that a request that came before cannot be executed again. A requester that has its answer does not listen. */
  private void refuseAgain(int psn, int code) {
    responses.add(new Response.Acknowledge(psn, AethLayout.KIND_NAK, code));
  }

  // Answers.

  /** Send up to {@code budget} answers, and ask for the pages that the packets which have come lack; returns whether there are more answers. */
  public boolean step(int budget) {
    long behind = receiveFault.takeBehind();
    if (behind >= 0 && !failed) {
      port.faultReceive(behind);
    }
    for (int left = budget; left > 0; left--) {
      Response response = responses.poll();
      if (response == null) {
        return false;
      }
      switch (response) {
        case Response.Acknowledge acknowledge ->
            port.send(
                new Packet(RcOpcode.ACKNOWLEDGE, config.destination(), acknowledge.psn())
                    .acknowledging(acknowledge.kind(), acknowledge.code(), messages & Psn.MASK));
        case Response.Original found -> {
          Packet packet = acknowledged(RcOpcode.ATOMIC_ACKNOWLEDGE, found.psn());
          packet.original = found.value();
          port.send(packet);
        }
        case Response.Data data -> sendData(data);
      }
    }
    return !responses.isEmpty();
  }

  private Packet acknowledged(RcOpcode opcode, int psn) {
    return new Packet(opcode, config.destination(), psn)
        .acknowledging(AethLayout.KIND_ACK, AethLayout.CREDITS_NOT_COUNTED, messages & Psn.MASK);
  }

  private void sendData(Response.Data data) {
    int length = (int) Math.min(config.mtu(), data.length());
    MemorySegment payload = MemorySegment.ofArray(new byte[length]);
    switch (length == 0 ? MemoryResult.DONE : port.read(data.key(), data.address(), payload, data.length())) {
      case DONE -> {}
      case FAULT -> {
        forgetBehind(data);
        responses.add(notReadyResponse(data.psn()));
        return;
      }
      case DENIED -> {
        refuseData(data, AethLayout.NAK_REMOTE_ACCESS, CompletionStatus.LOCAL_ACCESS);
        return;
      }
      case FAILED -> {
        refuseData(data, AethLayout.NAK_REMOTE_OPERATIONAL, CompletionStatus.LOCAL_PROTECTION);
        return;
      }
    }
    boolean last = length == data.length();
    Packet packet = acknowledged(RcOpcode.of(Kind.READ_RESPONSE, data.first(), last, Extra.NONE), data.psn());
    packet.payload = payload;
    port.send(packet);
    if (!last) {
      responses.putBack(
          new Response.Data(Psn.add(data.psn(), 1), data.key(), data.address() + length, data.length() - length, false, data.again()));
    }
  }

  private void refuseData(Response.Data data, int code, CompletionStatus reason) {
    forgetBehind(data);
    if (data.again()) {
      refuseAgain(data.psn(), code);
    } else {
      refuse(data.psn(), code, reason);
    }
  }

  /** Spare the wire what comes behind an answer that cannot be given: the requester comes back for all of it, unless the request was a late copy. */
  private void forgetBehind(Response.Data data) {
    if (!data.again()) {
      responses.forgetFrom(data.psn());
    }
  }

  private void notReady(int psn) {
    recovering = true;
    responses.add(notReadyResponse(psn));
  }

  private Response notReadyResponse(int psn) {
    return new Response.Acknowledge(psn, AethLayout.KIND_RNR, config.rnrTimer());
  }

  private void refuse(int psn, int code, CompletionStatus reason) {
    responses.add(new Response.Acknowledge(psn, AethLayout.KIND_NAK, code));
    failed = true;
    port.failed(reason);
  }
}
