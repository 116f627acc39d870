package io.twostep.device.rdma.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.RcOpcode;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a responder says of a message that met an absent page of its receive, packet by packet. */
class ReceiveFaultLengthTest {
  private static final int MTU = 256;

  private final Pair pair = new Pair(WireFaults.NONE, 1);

  /** The packets of a message of three and of one of two, as their requester would send them if all went well. */
  private final List<Packet> packets;

  ReceiveFaultLengthTest() {
    Pair recorded = new Pair(WireFaults.NONE, 1);
    recorded.far.posted.add(new byte[10 * MTU]);
    recorded.far.posted.add(new byte[10 * MTU]);
    recorded.near.post(1, Verb.SEND, new byte[2 * MTU + 7], 0);
    recorded.near.post(2, Verb.SEND, new byte[MTU + 9], 0);
    recorded.run();
    packets = recorded.near.sent.stream().filter(packet -> packet.opcode().kind() == RcOpcode.Kind.SEND).toList();
    assertThat(packets).hasSize(5);
    pair.far.posted.add(new byte[10 * MTU]);
    pair.far.posted.add(new byte[10 * MTU]);
    pair.far.remoteFault = () -> true;
  }

  private void comes(int... numbers) {
    for (int number : numbers) {
      pair.far.responder.receive(packets.get(number));
    }
  }

  private List<Long> reported() {
    pair.far.responder.step(16);
    return pair.far.receiveFaults;
  }

  @Test
  void packetsBehindTheFaultAreCountedUpToTheEndOfTheirMessage() {
    comes(0, 1, 2, 3, 4);
    assertThat(reported()).containsExactly(MTU + 7L);
    assertThat(reported()).as("told once").hasSize(1);
  }

  @Test
  void packetsBehindAGapAreNotCounted() {
    comes(0, 2, 3);
    assertThat(reported()).containsExactly(0L);
  }

  @Test
  void packetsThatCameAfterTheReportAreCountedByTheNext() {
    comes(0);
    assertThat(reported()).containsExactly(0L);
    comes(1, 2, 0);
    assertThat(reported()).containsExactly(0L, MTU + 7L);
  }

  @Test
  void whatWasStoredIsNotCountedAgain() {
    comes(0, 1, 2);
    pair.far.remoteFault = () -> false;
    comes(0);
    pair.far.remoteFault = () -> true;
    comes(1);
    assertThat(reported()).containsExactly(7L);
  }

  @Test
  void messageThatEndsTakesItsFaultAlong() {
    comes(0, 1, 2);
    pair.far.remoteFault = () -> false;
    comes(0, 1, 2);
    assertThat(reported()).isEmpty();
    pair.far.remoteFault = () -> true;
    comes(3);
    assertThat(reported()).containsExactly(0L);
  }
}
