package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.AethLayout;
import io.twostep.device.rdma.wire.Psn;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** What a responder has to send. Acknowledgements that nothing comes between become one. */
final class ResponseQueue {
  private final ArrayDeque<Response> responses = new ArrayDeque<>();

  void acknowledge(int psn) {
    if (responses.peekLast() instanceof Response.Acknowledge last && last.kind() == AethLayout.KIND_ACK) {
      responses.removeLast();
    }
    responses.addLast(new Response.Acknowledge(psn, AethLayout.KIND_ACK, AethLayout.CREDITS_NOT_COUNTED));
  }

  void add(Response response) {
    responses.addLast(response);
  }

  /** Put the rest of the oldest response back. */
  void putBack(Response rest) {
    responses.addFirst(rest);
  }

  @Nullable Response poll() {
    return responses.poll();
  }

  /** Forget what answers {@code psn} and later: the requester has gone back there. */
  void forgetFrom(int psn) {
    responses.removeIf(response -> Psn.distance(psn, response.psn()) >= 0);
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
