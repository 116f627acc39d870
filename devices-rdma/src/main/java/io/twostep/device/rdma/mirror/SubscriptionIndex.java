package io.twostep.device.rdma.mirror;

import java.util.Arrays;
import java.util.function.Consumer;

/**
 * Subscriptions sorted by start, each with the highest end up to it, so that those that touch a range are found without looking at all. Immutable.
 */
final class SubscriptionIndex {
  static final SubscriptionIndex EMPTY = new SubscriptionIndex(new Subscription[0]);

  private final Subscription[] sorted;
  private final long[] highestEnd;

  private SubscriptionIndex(Subscription[] sorted) {
    this.sorted = sorted;
    highestEnd = new long[sorted.length];
    long highest = 0;
    for (int i = 0; i < sorted.length; i++) {
      highest = Math.max(highest, sorted[i].end);
      highestEnd[i] = highest;
    }
  }

  SubscriptionIndex with(Subscription added) {
    int at = firstStartingFrom(added.start);
    Subscription[] more = new Subscription[sorted.length + 1];
    System.arraycopy(sorted, 0, more, 0, at);
    more[at] = added;
    System.arraycopy(sorted, at, more, at + 1, sorted.length - at);
    return new SubscriptionIndex(more);
  }

  SubscriptionIndex without(Subscription removed) {
    return new SubscriptionIndex(Arrays.stream(sorted).filter(s -> s != removed).toArray(Subscription[]::new));
  }

  int size() {
    return sorted.length;
  }

  void forEachWithin(long start, long end, Consumer<Subscription> action) {
    for (int i = firstStartingFrom(end) - 1; i >= 0 && highestEnd[i] > start; i--) {
      if (sorted[i].end > start) {
        action.accept(sorted[i]);
      }
    }
  }

  private int firstStartingFrom(long va) {
    int low = 0;
    int high = sorted.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (sorted[middle].start < va) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
