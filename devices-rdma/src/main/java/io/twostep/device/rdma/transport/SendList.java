package io.twostep.device.rdma.transport;

import io.twostep.device.rdma.wire.Psn;
import org.jspecify.annotations.Nullable;

/** The requests that are not finished, oldest first, and the one that is sent next. */
final class SendList {
  private @Nullable SendWork head;
  private @Nullable SendWork tail;
  private @Nullable SendWork cursor;

  void add(SendWork work) {
    if (tail == null) {
      head = work;
    } else {
      tail.next = work;
    }
    tail = work;
    if (cursor == null) {
      cursor = work;
    }
  }

  @Nullable SendWork head() {
    return head;
  }

  /** Return what is to be sent next; null if all was sent. */
  @Nullable SendWork cursor() {
    return cursor;
  }

  /** Go on to what follows the cursor. */
  void advance() {
    if (cursor != null) {
      cursor = cursor.next;
    }
  }

  /** Remove the oldest. */
  void removeHead() {
    if (head == null) {
      return;
    }
    if (cursor == head) {
      cursor = head.next;
    }
    head = head.next;
    if (head == null) {
      tail = null;
    }
  }

  /** Return how many READs and atomics that come before the cursor await answers. */
  int answersAwaited() {
    int count = 0;
    for (SendWork work = head; work != null && work != cursor; work = work.next) {
      count += work.awaitsAnswer() ? 1 : 0;
    }
    return count;
  }

  /** Return the oldest READ or atomic whose answer is not complete. */
  @Nullable SendWork firstAwaited() {
    for (SendWork work = head; work != null; work = work.next) {
      if (work.awaitsAnswer()) {
        return work;
      }
    }
    return null;
  }

  /** Return the request that has a sequence number. */
  @Nullable SendWork owning(int psn) {
    for (SendWork work = head; work != null; work = work.next) {
      if (work.numbered && Psn.isWithin(psn, work.firstPsn, work.packets)) {
        return work;
      }
    }
    return null;
  }

  /** Go back, so that {@code psn} is the next number sent. */
  void goBack(int psn) {
    boolean found = false;
    for (SendWork work = head; work != null && (work.numbered || work.isLocal()); work = work.next) {
      if (work.isLocal()) {
        continue;
      }
      if (found) {
        work.sent = 0;
      } else if (Psn.distance(psn, work.endPsn()) > 0) {
        found = true;
        work.sent = Math.max(0, Psn.distance(work.firstPsn, psn));
        cursor = work;
      }
    }
  }

  /** Skip what need not be sent again, when everything before {@code unacknowledged} is acknowledged. */
  void skipTo(int unacknowledged) {
    while (cursor != null) {
      if (cursor.isLocal()) {
        if (!cursor.executed || cursor.failure != null) {
          return;
        }
      } else {
        if (!cursor.numbered) {
          return;
        }
        int done = Math.min(cursor.packets, Psn.distance(cursor.firstPsn, unacknowledged));
        cursor.sent = Math.max(cursor.sent, done);
        if (cursor.sent < cursor.packets) {
          return;
        }
      }
      cursor = cursor.next;
    }
  }
}
