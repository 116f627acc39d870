package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.AethLayout;
import io.twostep.device.rdma.wire.Psn;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a responder has to send. Acknowledgements that nothing comes between become one. */
final class ResponseQueue {
  private final List<Response> responses = new ArrayList<>();

  void acknowledge(int psn) {
    if (!responses.isEmpty() && responses.getLast() instanceof Response.Acknowledge last && last.kind() == AethLayout.KIND_ACK) {
      responses.removeLast();
    }
    responses.add(new Response.Acknowledge(psn, AethLayout.KIND_ACK, AethLayout.CREDITS_NOT_COUNTED));
  }

  void add(Response response) {
    responses.add(response);
  }

  /** Put the rest of the oldest response back. */
  void putBack(Response rest) {
    responses.addFirst(rest);
  }

  @Nullable Response poll() {
    return responses.isEmpty() ? null : responses.removeFirst();
  }

  /** Forget what answers {@code psn} and later: the requester waits for what it asked there once, and must come back for it. */
  void forgetFrom(int psn) {
    responses.removeIf(response -> Psn.distance(psn, response.psn()) >= 0);
  }

  /** Answer a request that came again, in its turn. What answers later ones stays: nobody knows whether the requester went back, or the wire doubled a packet. */
  void addInTurn(Response answer) {
    int place = 0;
    while (place < responses.size() && Psn.distance(answer.psn(), responses.get(place).psn()) < 0) {
      place++;
    }
    responses.add(place, answer);
  }

  /** Take back what answers a READ or an atomic of {@code packets} numbers, because it came again; returns whether that was its first answer. */
  boolean withdraw(int psn, int packets) {
    int first = firstAnswers();
    responses.removeIf(response -> !(response instanceof Response.Acknowledge) && Psn.isWithin(response.psn(), psn, packets));
    return firstAnswers() != first;
  }

  /** Return how many READs and atomics wait. */
  int answers() {
    int count = 0;
    for (Response response : responses) {
      count += response instanceof Response.Acknowledge ? 0 : 1;
    }
    return count;
  }

  /** Return how many READs and atomics wait that came once: a late copy of another, which was answered long ago, is none of those that its sender may have under way. */
  int firstAnswers() {
    int count = 0;
    for (Response response : responses) {
      boolean first =
          switch (response) {
            case Response.Acknowledge acknowledge -> false;
            case Response.Original found -> !found.again();
            case Response.Data data -> !data.again();
          };
      count += first ? 1 : 0;
    }
    return count;
  }

  void clear() {
    responses.clear();
  }

  boolean isEmpty() {
    return responses.isEmpty();
  }
}
