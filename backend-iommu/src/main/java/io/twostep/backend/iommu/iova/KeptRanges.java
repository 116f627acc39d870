package io.twostep.backend.iommu.iova;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The {@link KeptRange}s of all users of one allocator, each at a place of its own as long as it may be looked for there. */
final class KeptRanges {
  private static final int FIRST_PLACES = 16;

  private final SharedFreeTree tree;

  /** Replaced when it grows; read without a lock by who knows that its place is taken. */
  private volatile @Nullable KeptRange[] all = {};

  /** Places whose users are gone while a range was still on its way. */
  private boolean[] left = {};

  /** Where the search for a free place begins: where nearly all are taken, users that come and go must not search them all. */
  private int next;

  private long takenOfGone;

  KeptRanges(SharedFreeTree tree) {
    this.tree = tree;
  }

  /** Make the keeper of one more user. */
  synchronized KeptRange add() {
    int place = freePlace();
    if (place == all.length) {
      sweepLeft();
      place = freePlace();
    }
    if (place == all.length) {
      int places = Math.max(FIRST_PLACES, 2 * place);
      left = Arrays.copyOf(left, places);
      all = Arrays.copyOf(all, places);
    }
    KeptRange added = new KeptRange(place);
    all[place] = added;
    next = place + 1;
    return added;
  }

  /** Search a free place from the latest that became free or was taken on; returns the length where there is none. */
  private int freePlace() {
    @Nullable KeptRange[] places = all;
    for (int i = 0; i < places.length; i++) {
      int place = (next + i) % places.length;
      if (places[place] == null) {
        return place;
      }
    }
    return places.length;
  }

  /** Return the keeper at a place that is taken. */
  KeptRange at(int place) {
    KeptRange found = all[place];
    if (found == null) {
      throw new IllegalStateException("nobody keeps a range at place " + place);
    }
    return found;
  }

  /** Free what is kept, and the place, for a user who is gone; both later, if a range is still on its way there. */
  synchronized void forget(KeptRange gone) {
    if (all[gone.place] == gone) {
      left[gone.place] = true;
      sweep(gone);
    }
  }

  /** Free what all users keep. */
  synchronized void drain() {
    for (KeptRange kept : all) {
      if (kept != null) {
        sweep(kept);
      }
    }
  }

  private void sweepLeft() {
    for (KeptRange kept : all) {
      if (kept != null && left[kept.place]) {
        sweep(kept);
      }
    }
  }

  /** Free what is kept, and the place too if its user is gone and nothing is on its way there. */
  private void sweep(KeptRange kept) {
    // Asked first: what arrives after that stays, and so does its place.
    boolean done = left[kept.place] && !kept.isAwaited();
    free(kept);
    if (done) {
      all[kept.place] = null;
      next = kept.place;
      left[kept.place] = false;
      takenOfGone += kept.taken();
    }
  }

  /** Free what a user keeps. */
  void free(KeptRange kept) {
    long word = kept.takeAway();
    if (word != 0) {
      tree.free(KeptRange.start(word), RangeSize.roundUp(KeptRange.granules(word)));
    }
  }

  /** Count how often a range was taken since the beginning. */
  synchronized long taken() {
    long sum = takenOfGone;
    for (KeptRange kept : all) {
      sum += kept == null ? 0 : kept.taken();
    }
    return sum;
  }

  /** Count the ranges that are kept. */
  synchronized long ranges() {
    long sum = 0;
    for (KeptRange kept : all) {
      sum += kept == null || kept.word == 0 ? 0 : 1;
    }
    return sum;
  }

  /** Count the granules of what is kept, with their rounding. */
  synchronized long granules() {
    long sum = 0;
    for (KeptRange kept : all) {
      long word = kept == null ? 0 : kept.word;
      sum += word == 0 ? 0 : RangeSize.roundUp(KeptRange.granules(word));
    }
    return sum;
  }
}
