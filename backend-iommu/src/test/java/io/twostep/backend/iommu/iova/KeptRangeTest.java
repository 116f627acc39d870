package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class KeptRangeTest {
  private static final int SHIFT = 12;
  private static final long ANYWHERE = -1L;

  private final IovaAllocator allocator = new IovaAllocator(new IovaSpace("kept", 1L << SHIFT, 0, (65L << SHIFT) - 1), 2);
  private final KeptRange user = allocator.newKeptRange();

  @Test
  void theNextRequestOfTheSizeGetsWhatWasGivenBack() {
    long first = allocate(user, 3);
    keep(user, first, 3);
    assertThat(allocator.allocate(3, ANYWHERE)).as("for others it is taken").isNotEqualTo(first);
    assertThat(allocate(user, 3)).isEqualTo(first);
    assertThat(allocate(user, 3)).as("once").isNotEqualTo(first);
  }

  @Test
  void whatIsKeptIsCachedAndNotLive() {
    long range = allocate(user, 3);
    keep(user, range, 3);
    assertThat(allocator.statistics()).isEqualTo(new IovaStatistics(1, 0, 0, 1, 4));
    allocator.forEachLive((iova, granules) -> assertThat(iova).as("live").isNegative());
    assertThat(allocate(user, 3)).isEqualTo(range);
    assertThat(allocator.statistics()).isEqualTo(new IovaStatistics(2, 1, 4, 0, 0));
    allocator.forget(user);
    assertThat(allocator.statistics()).as("after the user has gone").isEqualTo(new IovaStatistics(2, 1, 4, 0, 0));
  }

  @Test
  void aRangeThatCannotBeKeptDoesNotLeaveItsUserWaiting() {
    long range = allocate(user, 3);
    assertThat(user.expect()).isTrue();
    assertThatThrownBy(() -> allocator.keep(user.place(), range, 2)).hasMessageContaining("allocated with 3 granules");
    assertThat(user.expect()).as("the next one").isTrue();
    allocator.keep(user.place(), range, 3);
    assertThat(allocate(user, 3)).isEqualTo(range);
  }

  @Test
  void aRangeThatWillNotDoGoesToWhoeverCanUseIt() {
    long range = allocate(user, 4);
    keep(user, range, 4);
    long smaller = allocate(user, 2);
    assertThat(smaller).isNotEqualTo(range);
    assertThat(allocator.allocate(4, ANYWHERE)).as("size").isEqualTo(range);

    keep(user, smaller, 2);
    assertThat(allocator.allocate(user, 2, 16, ANYWHERE, ANYWHERE) & (16L << SHIFT) - 1).as("alignment").isZero();
    assertThat(allocator.allocate(2, ANYWHERE)).isEqualTo(smaller);

    long high = allocate(user, 1);
    keep(user, high, 1);
    long low = allocator.allocate(user, 1, 1, ANYWHERE, high - 1);
    assertThat(low).as("limit").isBetween(1L << SHIFT, high - (1L << SHIFT));
    assertThat(allocator.allocate(1, ANYWHERE)).isEqualTo(high);

    keep(user, low, 1);
    assertThat(allocator.allocate(user, 1, 1, low - 1, ANYWHERE)).as("preferred").isLessThan(low);
  }

  @Test
  void allThatARangeOccupiesLiesBelowTheLimitAsItDoesForOthers() {
    for (long granules : new long[] {3, 33}) {
      IovaAllocator roomy = new IovaAllocator(new IovaSpace("roomy", 1L << SHIFT, 0, (1024L << SHIFT) - 1), 2);
      KeptRange roomyUser = roomy.newKeptRange();
      long range = roomy.allocate(roomyUser, granules, 1, ANYWHERE, ANYWHERE);
      long exact = range + (granules << SHIFT) - 1;
      assertThat(roomyUser.expect()).isTrue();
      roomy.keep(roomyUser.place(), range, granules);
      assertThat(roomy.allocate(roomyUser, granules, 1, exact, exact)).as("%d granules below 0x%x", granules, exact).isLessThan(range);
      assertThat(roomy.allocate(granules, exact)).as("by others").isLessThan(range);
    }
  }

  @Test
  void anAllocationFailsOnlyOnceNobodyKeepsWhatItNeeds() {
    KeptRange[] idle = new KeptRange[64];
    long[] kept = new long[idle.length];
    for (int i = 0; i < idle.length; i++) {
      idle[i] = allocator.newKeptRange();
      kept[i] = allocate(idle[i], 1);
    }
    assertThat(allocator.allocate(1, ANYWHERE)).as("the space is full").isEqualTo(IovaAllocator.NO_IOVA);
    for (int i = 0; i < idle.length; i++) {
      keep(idle[i], kept[i], 1);
    }
    assertThat(allocator.allocate(32, ANYWHERE)).isNotEqualTo(IovaAllocator.NO_IOVA);
    assertThat(allocator.statistics().cachedRanges()).isZero();
    assertThat(allocate(idle[0], 1)).as("who kept one gets another").isNotEqualTo(IovaAllocator.NO_IOVA);
  }

  @Test
  void noSecondRangeComesWhileOneIsOnItsWay() {
    long one = allocate(user, 1);
    long two = allocate(user, 1);
    assertThat(user.expect()).isTrue();
    assertThat(user.expect()).as("a second one").isFalse();
    allocator.free(two, 1);
    allocator.keep(user.place(), one, 1);
    assertThat(user.expect()).as("after the first has come").isTrue();
  }

  @Test
  void whoKeepsARangeAlreadyLeavesTheNextToOthers() {
    long one = allocate(user, 1);
    long two = allocate(user, 1);
    keep(user, one, 1);
    keep(user, two, 1);
    assertThat(allocator.allocate(1, ANYWHERE)).isEqualTo(two);
    assertThat(allocate(user, 1)).isEqualTo(one);
  }

  @Test
  void aRangeThatComesAfterItsUserHasGoneIsFoundAgainBeforeMemoryGrows() {
    for (int i = 0; i < 10_000; i++) {
      KeptRange shortLived = allocator.newKeptRange();
      assertThat(shortLived.place()).as("user " + i).isLessThan(64);
      long range = allocate(shortLived, 1);
      assertThat(range).as("user " + i).isNotEqualTo(IovaAllocator.NO_IOVA);
      assertThat(shortLived.expect()).isTrue();
      allocator.forget(shortLived);
      allocator.keep(shortLived.place(), range, 1);
    }
    allocator.drainCaches();
    assertThat(allocator.statistics()).isEqualTo(new IovaStatistics(10_000, 0, 0, 0, 0));
  }

  @Test
  void aPlaceThatBecomesFreeIsTheNextOneTaken() {
    KeptRange[] users = new KeptRange[10];
    for (int i = 0; i < users.length; i++) {
      users[i] = allocator.newKeptRange();
    }
    for (int i : new int[] {3, 9, 0}) {
      allocator.forget(users[i]);
      assertThat(allocator.newKeptRange().place()).isEqualTo(users[i].place());
    }
  }

  @Test
  void whatIsNotLiveCannotBeKept() {
    long range = allocate(user, 2);
    keep(user, range, 2);
    assertThat(user.expect()).isTrue();
    assertThatThrownBy(() -> allocator.keep(user.place(), range, 2)).as("again").isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> allocator.free(range, 2)).as("by others").isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> allocator.keep(user.place(), range + 1, 2)).isInstanceOf(IllegalArgumentException.class);
    assertThat(allocator.statistics().cachedRanges()).isEqualTo(1);
  }

  @Test
  void theWholeSpaceIsFreeOnceUsersHaveGone() {
    keep(user, allocate(user, 5), 5);
    allocator.forget(user);
    allocator.forget(user);
    assertThat(allocator.tryReserve(0, -1L)).isTrue();
  }

  @Test
  void aGranuleNumberThatDoesNotFitIsNotKept() {
    IovaAllocator wide = new IovaAllocator(new IovaSpace("wide", 64, 0, -1L), 2);
    KeptRange wideUser = wide.newKeptRange();
    long top = wide.allocate(wideUser, 1, 1, -1L, -1L);
    assertThat(top).as("the last granule").isEqualTo(-64L);
    assertThat(wideUser.expect()).isTrue();
    wide.keep(wideUser.place(), top, 1);
    assertThat(wide.allocate(1, -1L)).isEqualTo(top);
  }

  private long allocate(KeptRange by, long granules) {
    return allocator.allocate(by, granules, 1, ANYWHERE, ANYWHERE);
  }

  private void keep(KeptRange by, long iova, long granules) {
    assertThat(by.expect()).isTrue();
    allocator.keep(by.place(), iova, granules);
  }
}
