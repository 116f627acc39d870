package io.twostep.device.rdma.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.transport.PacketCodec.Decoded;
import io.twostep.device.rdma.transport.PacketCodec.Flaw;
import io.twostep.device.rdma.wire.BthLayout;
import io.twostep.device.rdma.wire.Icrc;
import io.twostep.device.rdma.wire.RcOpcode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PacketCodecTest {
  @ParameterizedTest
  @EnumSource(RcOpcode.class)
  void everyPacketComesBackAsItWas(RcOpcode opcode) {
    for (int length = 0; length < 6; length++) {
      Packet packet = packet(opcode, opcode.hasPayload() ? length : 0);
      Packet back = good(PacketCodec.encode(packet));
      assertThat(back).usingRecursiveComparison().ignoringFields("payload", "address", "key", "length", "swapOrAdd", "compare", "acknowledgement", "original", "extra").isEqualTo(packet);
      assertThat(back.payload.mismatch(packet.payload)).isEqualTo(-1);
      if (opcode.hasReth() || opcode.kind() == RcOpcode.Kind.ATOMIC) {
        assertThat(back.address).isEqualTo(packet.address);
        assertThat(back.key).isEqualTo(packet.key);
      }
      assertThat(back.length).isEqualTo(opcode.hasReth() ? packet.length : 0);
      assertThat(back.compare).isEqualTo(opcode.kind() == RcOpcode.Kind.ATOMIC ? packet.compare : 0);
      assertThat(back.acknowledgement).isEqualTo(opcode.hasAeth() ? packet.acknowledgement : 0);
      assertThat(back.extra).isEqualTo(opcode.extra() == RcOpcode.Extra.NONE ? 0 : packet.extra);
    }
  }

  @Test
  void everyFlippedBitAndEveryCutIsNoticed() {
    byte[] bytes = PacketCodec.encode(packet(RcOpcode.WRITE_ONLY_IMMEDIATE, 5)).toArray(ValueLayout.JAVA_BYTE);
    for (int bit = 0; bit < bytes.length * Byte.SIZE; bit++) {
      byte[] flipped = bytes.clone();
      flipped[bit / Byte.SIZE] ^= (byte) (1 << bit % Byte.SIZE);
      boolean mayChange = bit / Byte.SIZE == BthLayout.VARIANT.offset();
      assertThat(PacketCodec.decode(MemorySegment.ofArray(flipped)) instanceof Decoded.Good).as("bit %d", bit).isEqualTo(mayChange);
    }
    for (int length = 0; length < bytes.length; length++) {
      assertThat(PacketCodec.decode(MemorySegment.ofArray(bytes).asSlice(0, length))).isInstanceOf(Decoded.Bad.class);
    }
  }

  @Test
  void wellSummedNonsenseIsDroppedWithItsReason() {
    assertThat(flawOf(BthLayout.SIZE, bytes -> BthLayout.OPCODE.set(bytes, 0, 0xff))).isEqualTo(Flaw.OPCODE);
    assertThat(flawOf(BthLayout.SIZE, bytes -> BthLayout.FLAGS.set(bytes, 0, 1))).isEqualTo(Flaw.OPCODE);
    assertThat(flawOf(BthLayout.SIZE, bytes -> BthLayout.PARTITION_KEY.set(bytes, 0, 1))).isEqualTo(Flaw.PARTITION);
    assertThat(flawOf(BthLayout.SIZE, bytes -> BthLayout.OPCODE.set(bytes, 0, RcOpcode.READ_REQUEST.code()))).isEqualTo(Flaw.TRUNCATED);
    assertThat(flawOf(BthLayout.SIZE, bytes -> BthLayout.FLAGS.set(bytes, 0, 0x30))).isEqualTo(Flaw.PAYLOAD);
    assertThat(flawOf(BthLayout.SIZE + 8, bytes -> BthLayout.OPCODE.set(bytes, 0, RcOpcode.ACKNOWLEDGE.code()))).isEqualTo(Flaw.PAYLOAD);
  }

  private static Flaw flawOf(int body, java.util.function.Consumer<MemorySegment> change) {
    MemorySegment bytes = MemorySegment.ofArray(new byte[body + 4]);
    BthLayout.OPCODE.set(bytes, 0, RcOpcode.SEND_ONLY.code());
    BthLayout.PARTITION_KEY.set(bytes, 0, BthLayout.DEFAULT_PARTITION);
    change.accept(bytes);
    new io.twostep.device.rdma.wire.Be32(body).set(bytes, 0, Icrc.of(bytes, body));
    return ((Decoded.Bad) PacketCodec.decode(bytes)).flaw();
  }

  private static Packet good(MemorySegment bytes) {
    return ((Decoded.Good) PacketCodec.decode(bytes)).packet();
  }

  private static Packet packet(RcOpcode opcode, int length) {
    Packet packet = new Packet(opcode, 0x123456, 0xfedcba);
    packet.ackRequest = true;
    packet.solicited = length % 2 == 1;
    packet.address = 0x123456789abcdef0L;
    packet.key = 0xcafe;
    packet.length = 0xffff_fff0L;
    packet.swapOrAdd = -2;
    packet.compare = -3;
    packet.acknowledgement = 0x1f000007;
    packet.original = 77;
    packet.extra = 0x55667788;
    packet.payload = MemorySegment.ofArray("hello".substring(0, length).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    return packet;
  }
}
