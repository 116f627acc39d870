package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.AethLayout;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.Psn;
import io.twostep.device.rdma.wire.RcOpcode;
import io.twostep.device.rdma.wire.RnrTimer;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The sending end of a connection (IBA 9.7.3, 9.7.6, 9.9.2.1): numbers requests, cuts them into packets, takes answers, and goes back to the oldest packet that was not
 * acknowledged when one got lost, a timer ran out or the receiver was not ready.
 */
public final class Requester {
  /** No deadline. */
  public static final long NEVER = Long.MAX_VALUE;

  private static final int ACK_EVERY = 16;

  private final RcConfig config;
  private final RequesterPort port;
  private final SendList works = new SendList();

  /** The oldest number that is not acknowledged. */
  private int unacknowledged;

  /** The number behind the last one ever sent. */
  private int sentEnd;

  /** The number that the next request gets. */
  private int nextPsn;

  private int retriesLeft;
  private int rnrRetriesLeft;
  private long ackDeadline = NEVER;
  private long rnrDeadline = NEVER;
  private boolean faulted;

  /** Whether the last answer that came too early has been answered by going back. */
  private boolean wentBackForAnswer;

  /** Whether it went back to send again, and has sent nothing since. */
  private boolean back;

  private boolean failed;
  private long retransmissions;

  /** Create a requester with nothing to do. */
  public Requester(RcConfig config, RequesterPort port) {
    this.config = config;
    this.port = port;
    unacknowledged = config.sendPsn();
    sentEnd = unacknowledged;
    nextPsn = unacknowledged;
    progress();
  }

  /** Post a request; after a failure it ends flushed at once. */
  public void post(WorkRequest request) {
    if (failed) {
      port.complete(request.id(), CompletionStatus.FLUSHED, 0);
      return;
    }
    SendWork work = new SendWork(request);
    if (request.length() < 0 || request.length() > RcConfig.MAX_MESSAGE) {
      work.failure = CompletionStatus.LOCAL_LENGTH;
    }
    works.add(work);
    retire();
  }

  /** Send up to {@code budget} packets and look at the timers; returns whether there is more to send at once. */
  public boolean step(long now, int budget) {
    if (rnrDeadline != NEVER && now - rnrDeadline >= 0) {
      rnrDeadline = NEVER;
    }
    if (ackDeadline != NEVER && now - ackDeadline >= 0) {
      ackDeadline = NEVER;
      wentBackForAnswer = false;
      sendAgain(now);
    }
    for (int left = budget; left > 0; left--) {
      if (!sendOne(now)) {
        return false;
      }
    }
    return true;
  }

  /** Return when to step again though nothing arrived; NEVER if that is not needed. */
  public long nextDeadline() {
    return Math.min(ackDeadline, rnrDeadline);
  }

  /** Tell whether it failed: everything posted ended, and nothing more will be sent. */
  public boolean isFailed() {
    return failed;
  }

  /** Tell whether nothing is under way. */
  public boolean isIdle() {
    return works.head() == null;
  }

  /** Return how often it went back. */
  public long retransmissions() {
    return retransmissions;
  }

  /** Go on after a local page fault. */
  public void resume(long now) {
    faulted = false;
    works.goBack(unacknowledged);
    works.skipTo(unacknowledged);
    armIfOutstanding(now);
  }

  /** End the oldest request with {@code status} and flush the others. */
  public void fail(CompletionStatus status) {
    if (failed) {
      return;
    }
    failed = true;
    ackDeadline = NEVER;
    rnrDeadline = NEVER;
    CompletionStatus each = status;
    for (SendWork work = works.head(); work != null; work = works.head()) {
      works.removeHead();
      port.complete(work.request.id(), each, 0);
      each = CompletionStatus.FLUSHED;
    }
  }

  // Sending.

  private boolean sendOne(long now) {
    SendWork work = works.cursor();
    if (work == null || work.failure != null || failed || faulted || rnrDeadline != NEVER) {
      return false;
    }
    if (work.isLocal()) {
      return executeLocal(work);
    }
    if (!mayBegin(work)) {
      return false;
    }
    int psn = Psn.add(work.firstPsn, work.sent);
    if (Psn.distance(unacknowledged, psn) >= config.window()) {
      return false;
    }
    Packet packet = packet(work, psn);
    if (packet == null) {
      return false;
    }
    if (Psn.distance(sentEnd, Psn.add(psn, 1)) > 0) {
      sentEnd = Psn.add(psn, 1);
    }
    if (work.isAnswered()) {
      work.sent = work.packets;
      sentEnd = Psn.distance(sentEnd, work.endPsn()) > 0 ? work.endPsn() : sentEnd;
    } else {
      work.sent++;
    }
    back = false;
    port.send(packet);
    if (work.sent == work.packets) {
      works.advance();
      works.skipTo(unacknowledged);
    }
    if (ackDeadline == NEVER) {
      arm(now);
    }
    return true;
  }

  private boolean executeLocal(SendWork work) {
    if (!work.executed) {
      if (work.request.fence() && works.head() != work) {
        return false;
      }
      CompletionStatus status = port.execute(work.request.id());
      work.executed = true;
      if (status != CompletionStatus.SUCCESS) {
        // What follows will end flushed, so that none of it may be sent.
        work.failure = status;
        retire();
        return false;
      }
    }
    works.advance();
    retire();
    return true;
  }

  /** Number a request unless it has to wait for READs and atomics before it. */
  private boolean mayBegin(SendWork work) {
    if (work.isAnswered() || work.request.fence()) {
      int awaited = works.answersAwaited();
      if ((work.isAnswered() && awaited >= config.readsOut()) || (!work.numbered && work.request.fence() && awaited > 0)) {
        return false;
      }
    }
    if (!work.numbered) {
      work.numbered = true;
      work.firstPsn = nextPsn;
      work.packets = work.request.verb() == Verb.COMPARE_SWAP || work.request.verb() == Verb.FETCH_ADD ? 1 : config.packets(work.request.length());
      nextPsn = work.endPsn();
    }
    return true;
  }

  /** Return the next packet of a request, or null if its data cannot be had now or at all. */
  private @Nullable Packet packet(SendWork work, int psn) {
    WorkRequest request = work.request;
    boolean begins = work.sent == 0 || work.isAnswered();
    boolean ends = work.isAnswered() || work.sent == work.packets - 1;
    RcOpcode opcode =
        switch (request.verb()) {
          case COMPARE_SWAP -> RcOpcode.COMPARE_SWAP;
          case FETCH_ADD -> RcOpcode.FETCH_ADD;
          default -> RcOpcode.of(request.verb().kind, begins, ends, request.verb().extra);
        };
    Packet packet = new Packet(opcode, config.destination(), psn);
    long offset = (long) work.sent * config.mtu();
    packet.ackRequest = ends || psn % ACK_EVERY == 0 || Psn.distance(unacknowledged, psn) == config.window() - 1;
    packet.address = request.remoteAddress() + (work.isAnswered() ? offset : 0);
    packet.key = request.remoteKey();
    packet.length = request.length() - (work.isAnswered() ? offset : 0);
    packet.swapOrAdd = request.swapOrAdd();
    packet.compare = request.compare();
    packet.extra = request.extra();
    if (!work.isAnswered()) {
      MemorySegment data = MemorySegment.ofArray(new byte[(int) Math.min(config.mtu(), request.length() - offset)]);
      switch (port.gather(request.id(), offset, data)) {
        case DONE -> packet.payload = data;
        case FAULT -> {
          fault();
          return null;
        }
        case DENIED, FAILED -> {
          work.failure = CompletionStatus.LOCAL_PROTECTION;
          retire();
          return null;
        }
      }
    }
    return packet;
  }

  private void fault() {
    faulted = true;
    ackDeadline = NEVER;
  }

  // Answers.

  /** Take an answer. */
  public void receive(long now, Packet packet) {
    if (failed || !Psn.isWithin(packet.psn, unacknowledged, Psn.distance(unacknowledged, sentEnd))) {
      return;
    }
    switch (packet.opcode.kind()) {
      case ACKNOWLEDGE -> acknowledge(now, packet);
      case READ_RESPONSE, ATOMIC_ACKNOWLEDGE -> takeAnswer(now, packet);
      default -> throw new IllegalArgumentException(packet + " is no answer");
    }
  }

  private void acknowledge(long now, Packet packet) {
    switch (packet.acknowledgementKind()) {
      case AethLayout.KIND_ACK -> {
        if (!acknowledgeBefore(now, Psn.add(packet.psn, 1))) {
          goBackForAnswer();
        }
      }
      case AethLayout.KIND_RNR -> {
        acknowledgeBefore(now, packet.psn);
        waitForReceiver(now, packet);
      }
      case AethLayout.KIND_NAK -> {
        acknowledgeBefore(now, packet.psn);
        if (packet.acknowledgementCode() == AethLayout.NAK_SEQUENCE_ERROR) {
          sendAgainUnlessBack(now);
        } else {
          doom(packet.psn, status(packet.acknowledgementCode()));
        }
      }
      default -> {}
    }
  }

  private static CompletionStatus status(int code) {
    return switch (code) {
      case AethLayout.NAK_REMOTE_ACCESS -> CompletionStatus.REMOTE_ACCESS;
      case AethLayout.NAK_REMOTE_OPERATIONAL -> CompletionStatus.REMOTE_OPERATION;
      default -> CompletionStatus.REMOTE_INVALID_REQUEST;
    };
  }

  /** Take everything before {@code psn} as received; false if answers before it are missing, and only what comes before them was taken. */
  private boolean acknowledgeBefore(long now, int psn) {
    SendWork awaited = works.firstAwaited();
    boolean complete = awaited == null || Psn.distance(awaited.answerPsn(), psn) <= 0;
    int end = complete || awaited == null ? psn : awaited.answerPsn();
    if (Psn.distance(unacknowledged, end) > 0) {
      unacknowledged = end;
      advanced(now);
    }
    return complete;
  }

  private void takeAnswer(long now, Packet packet) {
    SendWork awaited = works.firstAwaited();
    if (awaited == null) {
      return;
    }
    int distance = Psn.distance(awaited.answerPsn(), packet.psn);
    if (distance > 0) {
      acknowledgeBefore(now, awaited.answerPsn());
      goBackForAnswer();
    } else if (distance == 0 && !faulted && awaited.failure == null) {
      store(now, awaited, packet);
    }
  }

  private void store(long now, SendWork awaited, Packet packet) {
    long id = awaited.request.id();
    boolean atomic = packet.opcode == RcOpcode.ATOMIC_ACKNOWLEDGE;
    long offset = (long) awaited.answered * config.mtu();
    long expected = Math.min(config.mtu(), awaited.request.length() - offset);
    boolean isRead = awaited.request.verb() == Verb.READ;
    if (atomic == isRead || (isRead && (packet.payloadLength() != expected || packet.opcode.ends() != (awaited.answered == awaited.packets - 1)))) {
      awaited.failure = CompletionStatus.BAD_RESPONSE;
      retire();
      return;
    }
    switch (atomic ? port.scatterOriginal(id, packet.original) : port.scatter(id, offset, packet.payload)) {
      case DONE -> {
        awaited.answered++;
        unacknowledged = Psn.add(packet.psn, 1);
        advanced(now);
      }
      case FAULT -> fault();
      case DENIED, FAILED -> {
        awaited.failure = CompletionStatus.LOCAL_PROTECTION;
        retire();
      }
    }
  }

  /** An answer is missing and later ones came: ask again, but once only until it comes or the timer runs out. */
  private void goBackForAnswer() {
    if (!wentBackForAnswer && !faulted) {
      wentBackForAnswer = true;
      retransmissions++;
      works.goBack(unacknowledged);
    }
  }

  /** A copy of what asked for a gap says nothing new while the gap has not been sent again. */
  private void sendAgainUnlessBack(long now) {
    if (!back) {
      sendAgain(now);
    }
  }

  private void sendAgain(long now) {
    if (works.head() == null || faulted) {
      return;
    }
    if (retriesLeft == 0) {
      doom(unacknowledged, CompletionStatus.RETRY_EXCEEDED);
      return;
    }
    retriesLeft--;
    retransmissions++;
    back = true;
    works.goBack(unacknowledged);
    armIfOutstanding(now);
  }

  private void waitForReceiver(long now, Packet packet) {
    if (works.head() == null || rnrDeadline != NEVER) {
      // It is waited for: a copy of what told so costs no retry.
      return;
    }
    if (rnrRetriesLeft == 0) {
      doom(packet.psn, CompletionStatus.RNR_RETRY_EXCEEDED);
      return;
    }
    if (config.rnrRetries() != RcConfig.FOR_EVER) {
      rnrRetriesLeft--;
    }
    retransmissions++;
    works.goBack(unacknowledged);
    ackDeadline = NEVER;
    rnrDeadline = now + RnrTimer.nanos(packet.acknowledgementCode());
  }

  /** Decide how the request with a sequence number ends, once all before it have ended. */
  private void doom(int psn, CompletionStatus status) {
    SendWork work = works.owning(psn);
    if (work != null && work.failure == null) {
      work.failure = status;
    }
    retire();
  }

  private void advanced(long now) {
    progress();
    wentBackForAnswer = false;
    works.skipTo(unacknowledged);
    retire();
    ackDeadline = NEVER;
    armIfOutstanding(now);
  }

  private void retire() {
    SendWork head = works.head();
    while (head != null && head.failure == null && head.isDone(unacknowledged)) {
      works.removeHead();
      port.complete(head.request.id(), CompletionStatus.SUCCESS, head.request.length());
      head = works.head();
    }
    if (head != null && head.failure != null) {
      fail(head.failure);
    }
  }

  private void progress() {
    retriesLeft = config.retries();
    rnrRetriesLeft = config.rnrRetries();
  }

  private void armIfOutstanding(long now) {
    if (!failed && !faulted && rnrDeadline == NEVER && Psn.distance(unacknowledged, sentEnd) > 0) {
      arm(now);
    }
  }

  private void arm(long now) {
    ackDeadline = config.timeoutNanos() == 0 ? NEVER : now + config.timeoutNanos();
  }
}
