package io.twostep.device.rdma.mirror;

import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells subscribers of ranges that change, and counts for each what changes. Thread-safe; listeners are called without any lock. */
final class Notifier {
  private static final Logger LOG = LoggerFactory.getLogger(Notifier.class);

  private final Unproved unproved;
  private final List<Change> active = new ArrayList<>();
  private SubscriptionIndex subscriptions = SubscriptionIndex.EMPTY;
  private long changes;

  /** Hears of ranges that a subscriber could not let go of, before they change. */
  @FunctionalInterface
  interface Unproved {
    void quarantine(long start, long length);
  }

  Notifier(Unproved unproved) {
    this.unproved = unproved;
  }

  /** A range that changes. */
  static final class Change {
    final long start;
    final long end;
    final InvalidationReason reason;

    Change(long start, long end, InvalidationReason reason) {
      this.start = start;
      this.end = end;
      this.reason = reason;
    }
  }

  synchronized Subscription subscribe(long start, long end, InvalidationListener listener) {
    Subscription subscription = new Subscription(this, start, end, listener);
    for (Change change : active) {
      subscription.active += touch(change, subscription) ? 1 : 0;
    }
    subscriptions = subscriptions.with(subscription);
    return subscription;
  }

  private static boolean touch(Change change, Subscription subscription) {
    return change.start < subscription.end && subscription.start < change.end;
  }

  synchronized void unsubscribe(Subscription subscription) {
    subscriptions = subscriptions.without(subscription);
    // Nobody tells it of the end of changes under way: who waits for that goes on, and finds out that it is closed.
    subscription.active = 0;
    subscription.sequence++;
  }

  /** Announce a change and have everybody let go of the range. */
  Change begin(long start, long end, InvalidationReason reason) {
    Change change = new Change(start, end, reason);
    List<Subscription> concerned = new ArrayList<>();
    synchronized (this) {
      changes++;
      active.add(change);
      subscriptions.forEachWithin(
          start,
          end,
          subscription -> {
            subscription.active++;
            subscription.sequence++;
            subscription.running++;
            concerned.add(subscription);
          });
    }
    for (Subscription subscription : concerned) {
      start(subscription, change);
    }
    return change;
  }

  private void start(Subscription subscription, Change change) {
    long from = Math.max(change.start, subscription.start);
    long length = Math.min(change.end, subscription.end) - from;
    try {
      subscription.listener.start(from, length, change.reason);
    } catch (RuntimeException e) {
      LOG.warn("frames of {} are kept out of circulation: a device could not be proved away", range(change), e);
      unproved.quarantine(from, length);
    } finally {
      synchronized (this) {
        subscription.running--;
      }
    }
  }

  /** Announce that the range may be used again. */
  void end(Change change) {
    List<Subscription> concerned = new ArrayList<>();
    synchronized (this) {
      active.remove(change);
      subscriptions.forEachWithin(
          change.start,
          change.end,
          subscription -> {
            subscription.active--;
            concerned.add(subscription);
          });
    }
    for (Subscription subscription : concerned) {
      long from = Math.max(change.start, subscription.start);
      try {
        subscription.listener.end(from, Math.min(change.end, subscription.end) - from, change.reason);
      } catch (RuntimeException e) {
        LOG.warn("a listener failed after {} had changed", range(change), e);
      }
    }
  }

  private static String range(Change change) {
    return "0x" + Long.toHexString(change.start) + "+0x" + Long.toHexString(change.end - change.start);
  }

  /** Return how many subscriptions there are. */
  synchronized int subscriptions() {
    return subscriptions.size();
  }

  /** Return how many changes were announced. */
  synchronized long changes() {
    return changes;
  }
}
