package io.twostep.device.rdma.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.RcOpcode;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a connection does when something is missing, forbidden or wrong; one packet at a time where order matters. */
class ConnectionTest {
  private static final int MTU = 256;
  private static final WireFaults DEAD = new WireFaults(1, 0, 0, 0, 0);

  @Test
  void messagesAreCutAtTheMtuAndAcknowledgedOnce() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.WRITE, new byte[3 * MTU + 1], 0);
    pair.run();
    assertThat(pair.near.sent)
        .extracting(Packet::opcode)
        .containsExactly(RcOpcode.WRITE_FIRST, RcOpcode.WRITE_MIDDLE, RcOpcode.WRITE_MIDDLE, RcOpcode.WRITE_LAST);
    assertThat(pair.near.sent).extracting(Packet::payloadLength).containsExactly(MTU, MTU, MTU, 1);
    assertThat(pair.far.sent).extracting(Packet::opcode).containsExactly(RcOpcode.ACKNOWLEDGE);
  }

  @Test
  void acknowledgementsOfManyMessagesBecomeOne() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    for (int i = 0; i < 10; i++) {
      pair.near.post(i, Verb.WRITE, new byte[8], 0);
    }
    pair.round(16);
    assertThat(pair.far.sent).extracting(Packet::opcode).containsExactly(RcOpcode.ACKNOWLEDGE);
    pair.run();
    assertThat(statuses(pair)).hasSize(10).containsOnly(CompletionStatus.SUCCESS);
  }

  @Test
  void peerThatNeverAnswersIsGivenUpAfterTheRetries() {
    Pair pair = new Pair(DEAD, 1, Pair.config(3, 0));
    pair.near.post(1, Verb.WRITE, new byte[8], 0);
    pair.near.post(2, Verb.WRITE, new byte[8], 0);
    long begun = pair.now;
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.RETRY_EXCEEDED, CompletionStatus.FLUSHED);
    assertThat(pair.near.sent).hasSize(2 * 4);
    assertThat(pair.now - begun).isGreaterThanOrEqualTo(4 * Pair.TIMEOUT);
  }

  @Test
  void receiverThatIsNeverReadyIsGivenUpAfterItsRetries() {
    Pair pair = new Pair(WireFaults.NONE, 1, Pair.config(3, 2));
    pair.near.post(1, Verb.SEND, new byte[8], 0);
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.RNR_RETRY_EXCEEDED);
    assertThat(pair.near.sent).hasSize(3);
    assertThat(pair.far.failure).isNull();
  }

  @Test
  void receiverThatGetsReadyIsWaitedForAndTakesTheMessageOnce() {
    Pair pair = new Pair(WireFaults.NONE, 1, Pair.config(0, RcConfig.FOR_EVER));
    pair.near.post(1, Verb.SEND, new byte[] {1, 2, 3}, 0);
    for (int i = 0; i < 100; i++) {
      pair.round(16);
    }
    assertThat(pair.near.completions).isEmpty();
    pair.far.posted.add(new byte[MTU]);
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.SUCCESS);
    assertThat(pair.far.receives).extracting(End.Received::data).containsExactly(new byte[] {1, 2, 3});
  }

  @Test
  void forbiddenRequestsEndWithRemoteAccessAndMoveNothing() {
    for (Verb verb : List.of(Verb.WRITE, Verb.READ, Verb.FETCH_ADD)) {
      Pair pair = new Pair(WireFaults.NONE, 1);
      byte[] data = {1, 1, 1, 1, 1, 1, 1, 1};
      pair.near.post(1, Verb.WRITE, new byte[4], 0);
      pair.near.post(2, verb, data, Pair.MEMORY);
      pair.near.post(3, Verb.WRITE, data, 0);
      pair.run();
      assertThat(statuses(pair)).containsExactly(CompletionStatus.SUCCESS, CompletionStatus.REMOTE_ACCESS, CompletionStatus.FLUSHED);
      assertThat(pair.far.memory.mismatch(MemorySegment.ofArray(new byte[Pair.MEMORY]))).isEqualTo(-1);
      assertThat(pair.far.failure).isEqualTo(CompletionStatus.LOCAL_ACCESS);
    }
  }

  @Test
  void writeWhoseLastByteIsForbiddenMovesNoByteAtAll() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    byte[] data = new byte[3 * MTU];
    java.util.Arrays.fill(data, (byte) 7);
    pair.near.post(1, Verb.WRITE, data, Pair.MEMORY - data.length + 1);
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.REMOTE_ACCESS);
    assertThat(pair.far.memory.mismatch(MemorySegment.ofArray(new byte[Pair.MEMORY]))).isEqualTo(-1);
  }

  @Test
  void misalignedAtomicIsAnInvalidRequest() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.COMPARE_SWAP, new byte[8], 4);
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.REMOTE_INVALID_REQUEST);
    assertThat(pair.far.atomicsExecuted).isZero();
  }

  @Test
  void messageLongerThanTheReceiveIsRefusedOnBothSides() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.far.posted.add(new byte[MTU + 10]);
    pair.near.post(1, Verb.SEND, new byte[MTU + 11], 0);
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.REMOTE_INVALID_REQUEST);
    assertThat(pair.far.failure).isEqualTo(CompletionStatus.LOCAL_LENGTH);
  }

  @Test
  void duplicateAtomicIsAnsweredFromTheCacheAndNotExecutedAgain() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.FETCH_ADD, new byte[8], 0, 0, 5, 0, false);
    pair.near.step(pair.now, 1);
    Packet request = pair.near.sent.getFirst();
    pair.run();
    pair.far.responder.receive(request);
    pair.far.responder.receive(request);
    pair.far.responder.step(8);
    assertThat(pair.far.atomicsExecuted).isEqualTo(1);
    assertThat(pair.far.sent).extracting(packet -> packet.original).containsOnly(0L);
    assertThat(pair.far.sent).extracting(Packet::opcode).containsOnly(RcOpcode.ATOMIC_ACKNOWLEDGE).hasSize(2);
  }

  @Test
  void duplicateThatDiffersFromTheAtomicIsNotAnswered() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.FETCH_ADD, new byte[8], 0, 0, 5, 0, false);
    pair.run();
    Packet forged = new Packet(RcOpcode.FETCH_ADD, 9, pair.near.sent.getFirst().psn());
    forged.address = 8;
    forged.key = End.KEY;
    forged.swapOrAdd = 5;
    int before = pair.far.sent.size();
    pair.far.responder.receive(forged);
    pair.far.responder.step(8);
    assertThat(pair.far.sent).hasSize(before);
    assertThat(pair.far.atomicsExecuted).isEqualTo(1);
  }

  @Test
  void gapIsReportedOnceHoweverManyPacketsFollowIt() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    for (int i = 1; i <= 5; i++) {
      pair.far.responder.receive(new Packet(RcOpcode.SEND_ONLY, 9, (0xffffe0 + i) & 0xffffff));
    }
    pair.far.responder.step(8);
    assertThat(pair.far.sent).hasSize(1);
    assertThat(pair.far.sent.getFirst().psn()).isEqualTo(0xffffe0);
  }

  @Test
  void packetOfTheWrongLengthInTheMiddleOfAMessageIsInvalid() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    Packet first = new Packet(RcOpcode.WRITE_FIRST, 9, 0xffffe0);
    first.key = End.KEY;
    first.length = 2 * MTU;
    first.payload = MemorySegment.ofArray(new byte[] {9, 9, 9, 9});
    pair.far.responder.receive(first);
    pair.far.responder.step(8);
    assertThat(pair.far.responder.isFailed()).isTrue();
    assertThat(pair.far.memory.mismatch(MemorySegment.ofArray(new byte[Pair.MEMORY]))).isEqualTo(-1);
  }

  @Test
  void answerOfTheWrongLengthIsABadResponse() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    byte[] target = new byte[8];
    pair.near.post(1, Verb.READ, target, 0);
    pair.near.step(pair.now, 1);
    Packet answer = new Packet(RcOpcode.READ_RESPONSE_ONLY, 9, 0xffffe0);
    answer.payload = MemorySegment.ofArray(new byte[] {1, 2, 3, 4});
    pair.near.requester.receive(pair.now, answer);
    assertThat(statuses(pair)).containsExactly(CompletionStatus.BAD_RESPONSE);
    assertThat(target).containsOnly(0);
  }

  @Test
  void acknowledgementOfWhatWasNeverSentIsIgnored() {
    Pair pair = new Pair(DEAD, 1);
    pair.near.post(1, Verb.WRITE, new byte[3 * MTU], 0);
    pair.near.step(pair.now, 1);
    pair.near.requester.receive(pair.now, new Packet(RcOpcode.ACKNOWLEDGE, 9, 0xffffe2).acknowledging(0, 31, 0));
    assertThat(pair.near.completions).isEmpty();
  }

  @Test
  void messageAboveTheLimitFailsWithoutAPacket() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.requester.post(new WorkRequest(1, Verb.READ, RcConfig.MAX_MESSAGE + 1, 0, End.KEY, 0, 0, 0, false));
    assertThat(statuses(pair)).containsExactly(CompletionStatus.LOCAL_LENGTH);
    assertThat(pair.near.sent).isEmpty();
  }

  @Test
  void invalidatedKeyEndsWhatThePeerStillAsks() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.far.posted.add(new byte[8]);
    pair.near.post(1, Verb.SEND_INVALIDATE, new byte[8], 0, End.KEY, 0, 0, false);
    pair.near.post(2, Verb.READ, new byte[8], 0);
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.SUCCESS, CompletionStatus.REMOTE_ACCESS);
    assertThat(pair.far.receives).extracting(End.Received::extra).containsExactly(End.KEY);
  }

  private static List<CompletionStatus> statuses(Pair pair) {
    return pair.near.completions.stream().map(End.Done::status).toList();
  }
}
