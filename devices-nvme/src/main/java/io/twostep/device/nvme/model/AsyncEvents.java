package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.AsyncEventLayout;

/** Events waiting for a request, and requests waiting for an event. A type that was reported stays masked until its log is read. */
final class AsyncEvents {
  private static final int TYPES = 8;

  private final int limit;
  private final int[] requests;
  private int requestCount;
  private final int[] pending = new int[TYPES];
  private final boolean[] isPending = new boolean[TYPES];
  private final boolean[] masked = new boolean[TYPES];

  /** Create with room for {@code limit} requests. */
  AsyncEvents(int limit) {
    this.limit = limit;
    requests = new int[limit];
  }

  /** Forget requests, events and masks. */
  void reset() {
    requestCount = 0;
    for (int type = 0; type < TYPES; type++) {
      isPending[type] = false;
      masked[type] = false;
    }
  }

  /** Take a request; false if there are too many. */
  boolean request(int commandId) {
    if (requestCount == limit) {
      return false;
    }
    requests[requestCount++] = commandId;
    return true;
  }

  /** Take a request back; false if there is none with this id. */
  boolean cancel(int commandId) {
    for (int i = 0; i < requestCount; i++) {
      if (requests[i] == commandId) {
        removeRequest(i);
        return true;
      }
    }
    return false;
  }

  /** Note an event; a second one of a type that still waits is lost, as its log page tells both. */
  void raise(int type, int information, int logPage) {
    int word = AsyncEventLayout.TYPE.with(0, type);
    word = AsyncEventLayout.INFORMATION.with(word, information);
    pending[type] = AsyncEventLayout.LOG_PAGE.with(word, logPage);
    isPending[type] = true;
  }

  /** Let the types that {@code logPage} belongs to be reported again. */
  void logRead(int logPage) {
    for (int type = 0; type < TYPES; type++) {
      if (AsyncEventLayout.LOG_PAGE.get(pending[type]) == logPage) {
        masked[type] = false;
      }
    }
  }

  /** Tell whether an event can be reported now. */
  boolean isDue() {
    return requestCount > 0 && dueType() >= 0;
  }

  /** Take the event that is due. */
  int takeEvent() {
    int type = dueType();
    isPending[type] = false;
    masked[type] = true;
    return pending[type];
  }

  /** Take the oldest request. */
  int takeRequest() {
    int commandId = requests[0];
    removeRequest(0);
    return commandId;
  }

  private int dueType() {
    for (int type = 0; type < TYPES; type++) {
      if (isPending[type] && !masked[type]) {
        return type;
      }
    }
    return -1;
  }

  private void removeRequest(int index) {
    requestCount--;
    System.arraycopy(requests, index + 1, requests, index, requestCount - index);
  }
}
