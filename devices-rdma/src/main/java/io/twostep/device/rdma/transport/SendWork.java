package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.device.rdma.wire.Psn;
import org.jspecify.annotations.Nullable;

/** One posted request and how far it has got. */
final class SendWork {
  final WorkRequest request;
  @Nullable SendWork next;

  /** Whether it has sequence numbers; it keeps them for good. */
  boolean numbered;

  int firstPsn;
  int packets;

  /** Packets sent since the last time the requester went back. */
  int sent;

  /** Packets of the answer received, for READs and atomics. */
  int answered;

  /** Whether a LOCAL request was executed. */
  boolean executed;

  /** Why it cannot succeed any more; it ends so when all before it have ended. */
  @Nullable CompletionStatus failure;

  SendWork(WorkRequest request) {
    this.request = request;
  }

  boolean isLocal() {
    return request.verb() == Verb.LOCAL;
  }

  boolean isAnswered() {
    return request.verb().isAnswered();
  }

  /** Tell whether it is a READ or atomic under way whose answer is not complete. */
  boolean awaitsAnswer() {
    return numbered && isAnswered() && answered < packets;
  }

  /** Return the first sequence number behind it. */
  int endPsn() {
    return Psn.add(firstPsn, packets);
  }

  /** Return the next sequence number of the answer. */
  int answerPsn() {
    return Psn.add(firstPsn, answered);
  }

  /** Tell whether nothing is left to do, when everything before {@code unacknowledged} is acknowledged. */
  boolean isDone(int unacknowledged) {
    if (isLocal()) {
      return executed;
    }
    return numbered && (isAnswered() ? answered == packets : Psn.distance(endPsn(), unacknowledged) >= 0);
  }
}
