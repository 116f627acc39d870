package io.twostep.device.rdma.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.AethLayout;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.RcOpcode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Packets that no honest peer sends, or that come when they have long lost their meaning. */
class HostilePeerTest {
  private static final int MTU = 256;

  private static List<CompletionStatus> statuses(Pair pair) {
    return pair.near.completions.stream().map(End.Done::status).toList();
  }

  private static Packet first(Pair pair, RcOpcode opcode) {
    return pair.near.sent.stream().filter(packet -> packet.opcode() == opcode).findFirst().orElseThrow();
  }

  private static void assertGoesOn(Pair pair, long id) {
    assertThat(pair.far.failure).isNull();
    assertThat(pair.far.responder.isFailed()).isFalse();
    pair.near.post(id, Verb.WRITE, new byte[] {1, 2, 3}, 40);
    pair.run();
    assertThat(pair.near.completions.getLast()).isEqualTo(new End.Done(id, CompletionStatus.SUCCESS, 3));
  }

  @Test
  void lateCopyOfAReadWhoseKeyHasGoneCostsNobodyTheConnection() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.READ, new byte[300], 0);
    pair.run();
    pair.far.revoked.add(End.KEY);
    pair.near.wire.send(PacketCodec.encode(first(pair, RcOpcode.READ_REQUEST)));
    pair.run();
    pair.far.revoked.clear();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.SUCCESS);
    assertGoesOn(pair, 2);
  }

  @Test
  void keyThatGoesWhileALateCopyOfAReadIsAnsweredCostsNobodyTheConnection() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.READ, new byte[300], 0);
    pair.run();
    pair.far.remoteFault = () -> !pair.far.revoked.add(End.KEY) && false;
    pair.near.wire.send(PacketCodec.encode(first(pair, RcOpcode.READ_REQUEST)));
    pair.run();
    pair.far.remoteFault = () -> false;
    assertThat(pair.far.revoked).as("the copy was executed").isNotEmpty();
    pair.far.revoked.clear();
    assertGoesOn(pair, 2);
  }

  @Test
  void requesterThatStillWaitsForAReadIsToldThatItsKeyHasGone() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.READ, new byte[300], 0);
    pair.near.step(pair.now, 16);
    pair.far.step(pair.now, 16);
    assertThat(pair.near.wire.poll()).as("the answer, which is lost").isNotNull();
    assertThat(pair.near.wire.poll()).isNotNull();
    pair.far.revoked.add(End.KEY);
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.REMOTE_ACCESS);
  }

  @Test
  void oldReadsSentAgainAndAgainQueueUpNoMoreAnswersThanMayBeUnderWay() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    for (int i = 0; i < 50; i++) {
      pair.near.post(i, Verb.READ, new byte[3 * MTU], 0);
    }
    pair.run();
    int before = pair.far.sent.size();
    List<Packet> reads = pair.near.sent.stream().filter(packet -> packet.opcode() == RcOpcode.READ_REQUEST).toList();
    assertThat(reads).hasSize(50);
    reads.forEach(pair.far.responder::receive);
    pair.far.responder.step(10_000);
    assertThat(pair.far.sent.size() - before).as("packets of four answers").isEqualTo(4 * 3);
    assertGoesOn(pair, 60);
  }

  @Test
  void messageLongerThanAnyMayBeIsRefusedBeforeAByteOfItMoves() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    Packet packet = new Packet(RcOpcode.WRITE_FIRST, 9, Pair.config().receivePsn());
    packet.key = End.KEY;
    packet.length = RcConfig.MAX_MESSAGE + 1;
    packet.payload = MemorySegment.ofArray(new byte[MTU]).fill((byte) 9);
    pair.far.responder.receive(packet);
    assertThat(pair.far.failure).isEqualTo(CompletionStatus.LOCAL_OPERATION);
    assertThat(pair.far.memory.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
  }

  @Test
  void packetsAheadOfTheirTurnMoveNothingAndTheGapIsAskedForOnce() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    int psn = Pair.config().receivePsn();
    for (int ahead : new int[] {1, 2, 1 << 22, (1 << 23) - 1}) {
      Packet packet = new Packet(RcOpcode.WRITE_ONLY, 9, psn + ahead & 0xffffff);
      packet.key = End.KEY;
      packet.length = 8;
      packet.payload = MemorySegment.ofArray(new byte[8]).fill((byte) 9);
      pair.far.responder.receive(packet);
    }
    pair.far.responder.step(100);
    assertThat(pair.far.sent).hasSize(1);
    assertThat(pair.far.memory.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    assertGoesOn(pair, 1);
  }

  @Test
  void answersToWhatWasNeverAskedAreDropped() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.READ, new byte[8], 0);
    pair.near.step(pair.now, 16);
    int psn = pair.near.sent.getFirst().psn();
    for (int wrong : new int[] {psn - 1 & 0xffffff, psn + 1 & 0xffffff, psn + (1 << 23) & 0xffffff}) {
      Packet forged = new Packet(RcOpcode.READ_RESPONSE_ONLY, 9, wrong).acknowledging(0, 0, 0);
      forged.payload = MemorySegment.ofArray(new byte[8]).fill((byte) 9);
      pair.near.requester.receive(pair.now, forged);
    }
    assertThat(pair.near.completions).isEmpty();
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.SUCCESS);
    assertThat(pair.near.local.get(1L).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
  }

  @Test
  void lateCopiesOfReadsThatWaitDoNotCountAgainstAReadThatIsNew() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    for (int i = 0; i < 4; i++) {
      pair.near.post(i, Verb.READ, new byte[8], 0);
    }
    pair.run();
    List<Packet> reads = pair.near.sent.stream().filter(packet -> packet.opcode() == RcOpcode.READ_REQUEST).toList();
    assertThat(reads).as("as many as may be under way").hasSize(4);
    reads.forEach(packet -> pair.near.wire.send(PacketCodec.encode(packet)));
    pair.near.post(4, Verb.READ, new byte[8], 0);
    pair.run();
    assertThat(statuses(pair)).hasSize(5).containsOnly(CompletionStatus.SUCCESS);
    assertGoesOn(pair, 5);
  }

  @Test
  void lateCopiesOfAtomicsThatWaitDoNotCountAgainstAnAtomicThatIsNew() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    for (int i = 0; i < 4; i++) {
      pair.near.post(i, Verb.FETCH_ADD, new byte[8], 0, 0, 1, 0, false);
    }
    pair.run();
    List<Packet> atomics = pair.near.sent.stream().filter(packet -> packet.opcode() == RcOpcode.FETCH_ADD).toList();
    assertThat(atomics).as("as many as may be under way").hasSize(4);
    atomics.forEach(packet -> pair.near.wire.send(PacketCodec.encode(packet)));
    pair.near.post(4, Verb.FETCH_ADD, new byte[8], 0, 0, 1, 0, false);
    pair.run();
    assertThat(statuses(pair)).hasSize(5).containsOnly(CompletionStatus.SUCCESS);
    assertThat(pair.far.atomicsExecuted).isEqualTo(5);
  }

  @Test
  void atomicThatCameAgainIsAnsweredWithWhatItFoundThoughOneALapBeforeHadItsNumber() {
    AtomicCache atomics = new AtomicCache(4);
    Packet before = new Packet(RcOpcode.FETCH_ADD, 9, 7);
    Packet now = new Packet(RcOpcode.FETCH_ADD, 9, 7);
    atomics.add(before, 1);
    atomics.add(now, 2);
    assertThat(atomics.find(now)).isEqualTo(2L);
  }

  @Test
  void answersStopWithTheResponder() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.READ, new byte[3 * MTU], 0);
    pair.near.step(pair.now, 16);
    pair.far.step(pair.now, 1);
    assertThat(pair.far.sent).as("the first of three").hasSize(1);
    pair.far.responder.stop();
    assertThat(pair.far.responder.step(16)).isFalse();
    assertThat(pair.far.sent).hasSize(1);
  }

  @Test
  void whatFollowsALocalRequestThatFailedIsNotSent() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.READ, new byte[8], 0);
    pair.near.requester.post(new WorkRequest(2, Verb.LOCAL, 0, 0, 0, 0, 0, 0, false));
    pair.near.post(3, Verb.WRITE, new byte[] {7, 7, 7, 7}, 64);
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.SUCCESS, CompletionStatus.LOCAL_OPERATION, CompletionStatus.FLUSHED);
    assertThat(pair.far.memory.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
  }

  @Test
  void whatFollowsALocalRequestThatFailedIsNotSentAfterGoingBackEither() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    pair.near.post(1, Verb.READ, new byte[8], 0);
    pair.near.requester.post(new WorkRequest(2, Verb.LOCAL, 0, 0, 0, 0, 0, 0, false));
    pair.near.post(3, Verb.WRITE, new byte[] {7, 7, 7, 7}, 64);
    pair.near.step(pair.now, 16);
    assertThat(pair.far.wire.poll()).as("the READ, which is lost").isNotNull();
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.SUCCESS, CompletionStatus.LOCAL_OPERATION, CompletionStatus.FLUSHED);
    assertThat(pair.far.memory.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
  }

  @Test
  void answerNotReadyThatComesTwiceCostsOneRetry() {
    Pair pair = new Pair(WireFaults.NONE, 1, Pair.config(1, 1));
    pair.near.post(1, Verb.SEND, new byte[8], 0);
    pair.near.step(pair.now, 16);
    pair.far.step(pair.now, 16);
    Packet notReady = pair.far.sent.getFirst();
    assertThat(notReady.acknowledgementKind()).isEqualTo(AethLayout.KIND_RNR);
    pair.far.wire.send(PacketCodec.encode(notReady));
    pair.far.posted.add(new byte[8]);
    pair.run();
    assertThat(statuses(pair)).containsExactly(CompletionStatus.SUCCESS);
  }

  @Test
  void askingForAGapTwiceCostsOneRetry() {
    Pair pair = new Pair(WireFaults.NONE, 1, Pair.config(1, 1));
    pair.near.post(1, Verb.WRITE, new byte[8], 0);
    pair.near.post(2, Verb.WRITE, new byte[8], 8);
    pair.near.step(pair.now, 16);
    assertThat(pair.far.wire.poll()).as("the first, which is lost").isNotNull();
    pair.far.step(pair.now, 16);
    Packet gap = pair.far.sent.getFirst();
    assertThat(gap.acknowledgementKind()).isEqualTo(AethLayout.KIND_NAK);
    pair.far.wire.send(PacketCodec.encode(gap));
    pair.run();
    assertThat(statuses(pair)).containsOnly(CompletionStatus.SUCCESS).hasSize(2);
  }

  /** Return a pair whose timers never run, and whose requester has read once: what is lost for good then leaves it waiting for ever. */
  private static Pair afterARead() {
    Pair pair = new Pair(WireFaults.NONE, 1, new RcConfig(9, MTU, 5, 5, 0, 7, RcConfig.FOR_EVER, 12, 4, 4, 24));
    pair.near.post(1, Verb.READ, new byte[8], 0);
    pair.run();
    return pair;
  }

  private static void copyOfTheRead(Pair pair) {
    pair.near.wire.send(PacketCodec.encode(first(pair, RcOpcode.READ_REQUEST)));
  }

  @Test
  void lateCopyOfAReadDoesNotKeepTheRequesterFromHearingOfAGap() {
    Pair pair = afterARead();
    pair.near.post(2, Verb.WRITE, new byte[8], 0);
    pair.near.post(3, Verb.WRITE, new byte[8], 8);
    pair.near.step(pair.now, 16);
    assertThat(pair.far.wire.poll()).as("the first, which is lost").isNotNull();
    copyOfTheRead(pair);
    pair.run();
    assertThat(statuses(pair)).containsOnly(CompletionStatus.SUCCESS).hasSize(3);
  }

  @Test
  void lateCopyOfAReadDoesNotKeepTheRequesterFromHearingThatAReceiverIsNotReady() {
    Pair pair = afterARead();
    pair.near.post(2, Verb.SEND, new byte[8], 0);
    pair.near.step(pair.now, 16);
    copyOfTheRead(pair);
    pair.far.step(pair.now, 16);
    pair.far.posted.add(new byte[8]);
    pair.run();
    assertThat(statuses(pair)).containsOnly(CompletionStatus.SUCCESS).hasSize(2);
  }

  @Test
  void lateCopyOfAReadDoesNotCostTheNextOneItsAnswer() {
    Pair pair = afterARead();
    pair.near.post(2, Verb.READ, new byte[8], 0);
    pair.near.step(pair.now, 16);
    copyOfTheRead(pair);
    pair.run();
    assertThat(statuses(pair)).containsOnly(CompletionStatus.SUCCESS).hasSize(2);
  }

  @Test
  void lateCopyOfAReadWhosePageHasGoneDoesNotCostTheNextOneItsAnswer() {
    Pair pair = afterARead();
    pair.near.post(2, Verb.READ, new byte[8], 0);
    pair.near.step(pair.now, 16);
    pair.far.responder.receive(first(pair, RcOpcode.READ_REQUEST));
    boolean[] absent = {true};
    pair.far.remoteFault =
        () -> {
          boolean now = absent[0];
          absent[0] = false;
          return now;
        };
    pair.run();
    assertThat(absent[0]).as("the copy met the page").isFalse();
    assertThat(statuses(pair)).containsOnly(CompletionStatus.SUCCESS).hasSize(2);
  }

  @Test
  void lateCopyOfAnAtomicDoesNotCostTheNextOneItsAnswer() {
    Pair pair = afterARead();
    pair.near.post(2, Verb.FETCH_ADD, new byte[8], 0, 0, 1, 0, false);
    pair.run();
    pair.near.post(3, Verb.READ, new byte[8], 0);
    pair.near.step(pair.now, 16);
    pair.near.wire.send(PacketCodec.encode(first(pair, RcOpcode.FETCH_ADD)));
    pair.run();
    assertThat(statuses(pair)).containsOnly(CompletionStatus.SUCCESS).hasSize(3);
  }

  @Test
  void readThatComesTwiceBeforeItIsAnsweredIsAnsweredOnceAndStillCountsAsUnderWay() {
    Pair pair = new Pair(WireFaults.NONE, 1);
    int psn = Pair.config().receivePsn();
    for (int i = 0; i < 5; i++) {
      Packet read = new Packet(RcOpcode.READ_REQUEST, 9, psn + i & 0xffffff);
      read.key = End.KEY;
      read.length = 8;
      pair.far.responder.receive(read);
      pair.far.responder.receive(read);
    }
    assertThat(pair.far.failure).as("a fifth, where four may be under way").isEqualTo(CompletionStatus.LOCAL_OPERATION);
    pair.far.responder.step(100);
    assertThat(pair.far.sent).as("four answers and the refusal").hasSize(5);
  }
}
