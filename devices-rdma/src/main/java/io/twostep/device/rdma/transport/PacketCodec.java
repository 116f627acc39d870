package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.AethLayout;
import io.twostep.device.rdma.wire.AtomicEthLayout;
import io.twostep.device.rdma.wire.Be32;
import io.twostep.device.rdma.wire.BthLayout;
import io.twostep.device.rdma.wire.Icrc;
import io.twostep.device.rdma.wire.RcOpcode;
import io.twostep.device.rdma.wire.RcOpcode.Kind;
import io.twostep.device.rdma.wire.RethLayout;
import io.twostep.device.rdma.wire.ShortHeaderLayout;
import java.lang.foreign.MemorySegment;

/** Turns packets into bytes and back; bytes that are no packet are dropped with a reason, as a port does. */
public final class PacketCodec {
  private static final Be32 CRC = new Be32(0);
  private static final int WORD = 4;

  private PacketCodec() {}

  /** Why bytes were dropped. */
  public enum Flaw {
    /** Shorter than its headers, or not in whole words. */
    TRUNCATED,
    /** The invariant CRC differs. */
    CRC,
    /** The opcode is of no reliable connected packet, or the version is not 0. */
    OPCODE,
    /** Another partition. */
    PARTITION,
    /** A payload or padding where none may be. */
    PAYLOAD
  }

  /** What bytes turned out to be. */
  public sealed interface Decoded {
    /** A packet. */
    record Good(Packet packet) implements Decoded {}

    /** No packet. */
    record Bad(Flaw flaw) implements Decoded {}
  }

  /** Return the bytes of a packet, invariant CRC included. */
  public static MemorySegment encode(Packet packet) {
    RcOpcode opcode = packet.opcode;
    int header = opcode.headerLength();
    int data = packet.payloadLength();
    int pad = -data & (WORD - 1);
    int body = header + data + pad;
    MemorySegment bytes = MemorySegment.ofArray(new byte[body + ShortHeaderLayout.ICRC_SIZE]);
    BthLayout.OPCODE.set(bytes, 0, opcode.code());
    BthLayout.FLAGS.set(bytes, 0, BthLayout.PAD.with(BthLayout.SOLICITED.with(0, packet.solicited ? 1 : 0), pad));
    BthLayout.PARTITION_KEY.set(bytes, 0, BthLayout.DEFAULT_PARTITION);
    BthLayout.DESTINATION.set(bytes, 0, BthLayout.QUEUE_PAIR.with(0, packet.destination));
    BthLayout.SEQUENCE.set(bytes, 0, BthLayout.PSN.with(BthLayout.ACK_REQUEST.with(0, packet.ackRequest ? 1 : 0), packet.psn));
    encodeExtensions(packet, bytes);
    MemorySegment.copy(packet.payload, 0, bytes, header, data);
    CRC.set(bytes, body, Icrc.of(bytes, body));
    return bytes;
  }

  private static void encodeExtensions(Packet packet, MemorySegment bytes) {
    RcOpcode opcode = packet.opcode;
    int at = BthLayout.SIZE;
    if (opcode.hasReth()) {
      RethLayout.ADDRESS.set(bytes, at, packet.address);
      RethLayout.REMOTE_KEY.set(bytes, at, packet.key);
      RethLayout.LENGTH.set(bytes, at, (int) packet.length);
      at += RethLayout.SIZE;
    }
    if (opcode.kind() == Kind.ATOMIC) {
      AtomicEthLayout.ADDRESS.set(bytes, at, packet.address);
      AtomicEthLayout.REMOTE_KEY.set(bytes, at, packet.key);
      AtomicEthLayout.SWAP_OR_ADD.set(bytes, at, packet.swapOrAdd);
      AtomicEthLayout.COMPARE.set(bytes, at, packet.compare);
    }
    if (opcode.hasAeth()) {
      AethLayout.WORD.set(bytes, at, packet.acknowledgement);
      at += AethLayout.SIZE;
    }
    if (opcode.kind() == Kind.ATOMIC_ACKNOWLEDGE) {
      ShortHeaderLayout.ATOMIC_ORIGINAL.set(bytes, at, packet.original);
    }
    switch (opcode.extra()) {
      case IMMEDIATE -> ShortHeaderLayout.IMMEDIATE.set(bytes, at, packet.extra);
      case INVALIDATE -> ShortHeaderLayout.INVALIDATE_KEY.set(bytes, at, packet.extra);
      case NONE -> {}
    }
  }

  /** Take bytes apart; the payload of the packet is a part of {@code bytes}. */
  public static Decoded decode(MemorySegment bytes) {
    int body = (int) bytes.byteSize() - ShortHeaderLayout.ICRC_SIZE;
    if (body < BthLayout.SIZE || (body & (WORD - 1)) != 0) {
      return new Decoded.Bad(Flaw.TRUNCATED);
    }
    if (CRC.get(bytes, body) != Icrc.of(bytes, body)) {
      return new Decoded.Bad(Flaw.CRC);
    }
    RcOpcode opcode = RcOpcode.of(BthLayout.OPCODE.get(bytes, 0));
    int flags = BthLayout.FLAGS.get(bytes, 0);
    if (opcode == null || BthLayout.VERSION.isSet(flags)) {
      return new Decoded.Bad(Flaw.OPCODE);
    }
    if (BthLayout.PARTITION_KEY.get(bytes, 0) != BthLayout.DEFAULT_PARTITION) {
      return new Decoded.Bad(Flaw.PARTITION);
    }
    int header = opcode.headerLength();
    int data = body - header - BthLayout.PAD.get(flags);
    if (body < header) {
      return new Decoded.Bad(Flaw.TRUNCATED);
    }
    if (data < 0 || (body != header && !opcode.hasPayload())) {
      return new Decoded.Bad(Flaw.PAYLOAD);
    }
    return new Decoded.Good(decode(opcode, bytes, header, data));
  }

  private static Packet decode(RcOpcode opcode, MemorySegment bytes, int header, int data) {
    int sequence = BthLayout.SEQUENCE.get(bytes, 0);
    int destination = BthLayout.QUEUE_PAIR.get(BthLayout.DESTINATION.get(bytes, 0));
    Packet packet = new Packet(opcode, destination, BthLayout.PSN.get(sequence));
    packet.ackRequest = BthLayout.ACK_REQUEST.isSet(sequence);
    packet.solicited = BthLayout.SOLICITED.isSet(BthLayout.FLAGS.get(bytes, 0));
    packet.payload = bytes.asSlice(header, data);
    int at = BthLayout.SIZE;
    if (opcode.hasReth()) {
      packet.address = RethLayout.ADDRESS.get(bytes, at);
      packet.key = RethLayout.REMOTE_KEY.get(bytes, at);
      packet.length = RethLayout.LENGTH.getUnsigned(bytes, at);
      at += RethLayout.SIZE;
    }
    if (opcode.kind() == Kind.ATOMIC) {
      packet.address = AtomicEthLayout.ADDRESS.get(bytes, at);
      packet.key = AtomicEthLayout.REMOTE_KEY.get(bytes, at);
      packet.swapOrAdd = AtomicEthLayout.SWAP_OR_ADD.get(bytes, at);
      packet.compare = AtomicEthLayout.COMPARE.get(bytes, at);
    }
    if (opcode.hasAeth()) {
      packet.acknowledgement = AethLayout.WORD.get(bytes, at);
      at += AethLayout.SIZE;
    }
    if (opcode.kind() == Kind.ATOMIC_ACKNOWLEDGE) {
      packet.original = ShortHeaderLayout.ATOMIC_ORIGINAL.get(bytes, at);
    }
    packet.extra =
        switch (opcode.extra()) {
          case IMMEDIATE -> ShortHeaderLayout.IMMEDIATE.get(bytes, at);
          case INVALIDATE -> ShortHeaderLayout.INVALIDATE_KEY.get(bytes, at);
          case NONE -> 0;
        };
    return packet;
  }
}
