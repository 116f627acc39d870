package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class IovaAllocatorTest {
  private static final long LIMIT_32 = 0xffff_ffffL;
  private static final long LIMIT_48 = 0xffff_ffff_ffffL;

  private static IovaAllocator allocator(long firstIova, long lastIova) {
    return new IovaAllocator(new IovaSpace("test", 0x1000, firstIova, lastIova), 1);
  }

  private static IovaAllocator withMsiWindow(long lastIova) {
    IovaAllocator allocator = allocator(0, lastIova);
    assertThat(allocator.tryReserve(0xfee0_0000L, 0xfeef_ffffL)).isTrue();
    return allocator;
  }

  @Test
  void freshDomainBelowFourGigabytesPlacesAsTheKernelDoes() {
    IovaAllocator allocator = withMsiWindow(LIMIT_48);
    long[] sizes = {1, 1, 3, 33, 32, 512, 4096};
    long[] expected = {0xfffff000L, 0xffffe000L, 0xffff8000L, 0xfffc0000L, 0xfffa0000L, 0xffc00000L, 0xfd000000L};
    for (int i = 0; i < sizes.length; i++) {
      assertThat(allocator.allocate(sizes[i], LIMIT_32)).as("%d granules", sizes[i]).isEqualTo(expected[i]);
    }
    allocator.free(0xffff8000L, 3);
    allocator.drainCaches();
    assertThat(allocator.allocate(2, LIMIT_32)).isEqualTo(0xffffc000L);
    assertThat(allocator.allocate(4, LIMIT_32)).isEqualTo(0xffff8000L);
  }

  @Test
  void freshDomainOfFortyEightBitsPlacesAsTheKernelDoes() {
    IovaAllocator allocator = withMsiWindow(LIMIT_48);
    long[] sizes = {1, 1, 3, 33, 512};
    long[] expected = {0xfffffffff000L, 0xffffffffe000L, 0xffffffff8000L, 0xfffffffc0000L, 0xffffffc00000L};
    for (int i = 0; i < sizes.length; i++) {
      assertThat(allocator.allocate(sizes[i], LIMIT_48)).as("%d granules", sizes[i]).isEqualTo(expected[i]);
    }
  }

  @Test
  void halfOfFourGigabytesFitsOnceAndAQuarterBelowIt() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    assertThat(allocator.allocate(0x80000, LIMIT_32)).isEqualTo(0x80000000L);
    assertThat(allocator.allocate(0x80000, LIMIT_32)).isEqualTo(IovaAllocator.NO_IOVA);
    assertThat(allocator.allocate(0x40000, LIMIT_32)).isEqualTo(0x40000000L);
  }

  @Test
  void addressZeroIsNeverHandedOut() {
    IovaAllocator allocator = allocator(0, 0xffff);
    for (int i = 1; i < 16; i++) {
      assertThat(allocator.allocate(1, -1L)).isEqualTo((16 - i) * 0x1000L);
    }
    assertThat(allocator.allocate(1, -1L)).isEqualTo(IovaAllocator.NO_IOVA);
  }

  @Test
  void theLastGranuleOfSixtyFourBitsIsUsable() {
    IovaAllocator allocator = allocator(0, -1L);
    assertThat(allocator.allocate(1, -1L)).isEqualTo(-0x1000L);
    assertThat(allocator.allocate(1, -2L)).isEqualTo(-0x2000L);
    assertThat(allocator.allocate(1L << 51, -1L)).isEqualTo(IovaAllocator.NO_IOVA);
    assertThat(allocator.allocate(1L << 51, Long.MAX_VALUE)).isEqualTo(IovaAllocator.NO_IOVA);
    assertThat(allocator.allocate(1L << 50, -1L)).isEqualTo(1L << 63);
    allocator.free(-0x1000L, 1);
    allocator.free(1L << 63, 1L << 50);
  }

  @Test
  void theLimitIsTheLastByteOfARange() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    assertThat(allocator.allocate(1, 0x1fffe)).isEqualTo(0x1e000);
    assertThat(allocator.allocate(1, 0x1ffff)).isEqualTo(0x1f000);
    assertThat(allocator.allocate(16, 0x1ffff)).isEqualTo(IovaAllocator.NO_IOVA);
    assertThat(allocator.allocate(16, 0x2ffff)).isEqualTo(0x20000);
    assertThat(allocator.allocate(1, 0)).isEqualTo(IovaAllocator.NO_IOVA);
  }

  @Test
  void cachedRangesRespectTheLimitOfTheCall() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    long low = allocator.allocate(8, LIMIT_32);
    long high = allocator.allocate(8, LIMIT_48);
    allocator.free(low, 8);
    allocator.free(high, 8);
    assertThat(allocator.allocate(8, LIMIT_32)).isEqualTo(low);
    assertThat(allocator.allocate(8, LIMIT_32)).isLessThan(low);
    assertThat(allocator.allocate(8, LIMIT_48)).isEqualTo(high);
  }

  @Test
  void aPreferredLimitIsLeftOnlyWhileThereIsNoRoomBelowIt() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    long low = allocator.allocate(0x80000, 1, LIMIT_32, LIMIT_48);
    assertThat(low).isEqualTo(0x80000000L);
    long high = allocator.allocate(0x80000, 1, LIMIT_32, LIMIT_48);
    assertThat(high).isGreaterThan(LIMIT_32);
    allocator.free(low, 0x80000);
    assertThat(allocator.allocate(0x80000, 1, LIMIT_32, LIMIT_48)).isEqualTo(low);
  }

  @Test
  void largerAlignmentIsHonouredAndSmallerHasNoEffect() {
    IovaAllocator allocator = allocator(0, LIMIT_32);
    assertThat(allocator.allocate(1, 512, LIMIT_32, LIMIT_32)).isEqualTo(0xffe00000L);
    assertThat(allocator.allocate(1, 512, LIMIT_32, LIMIT_32)).isEqualTo(0xffc00000L);
    assertThat(allocator.allocate(64, 2, LIMIT_32, LIMIT_32)).isEqualTo(0xfffc0000L);
    assertThat(allocator.allocate(1, 1L << 62, LIMIT_32, LIMIT_32)).isEqualTo(IovaAllocator.NO_IOVA);
  }

  @Test
  void anApertureKeepsItsBounds() {
    IovaAllocator allocator = allocator(0x10800, 0x14fff);
    assertThat(allocator.allocate(4, -1L)).isEqualTo(IovaAllocator.NO_IOVA);
    assertThat(allocator.allocate(1, -1L)).isEqualTo(0x14000);
    assertThat(allocator.allocate(2, -1L)).isEqualTo(0x12000);
    assertThat(allocator.allocate(1, -1L)).isEqualTo(0x11000);
    assertThat(allocator.allocate(1, -1L)).isEqualTo(IovaAllocator.NO_IOVA);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> allocator(0, 0xfff))
        .withMessageContaining("test")
        .withMessageContaining("0x0-0xfff");
  }

  @Test
  void reservationsMergeAndRefuseWhatIsLive() {
    IovaAllocator allocator = allocator(0, 0xfffff);
    long live = allocator.allocate(16, -1L);
    assertThat(live).isEqualTo(0xf0000);
    assertThat(allocator.tryReserve(0xe0000, 0xe7fff)).isTrue();
    assertThat(allocator.tryReserve(0xec123, 0xec124)).isTrue();
    assertThat(allocator.tryReserve(0xe0000, 0xf0000)).as("overlaps a live range").isFalse();
    assertThat(allocator.allocate(4, 0xeffff)).isEqualTo(0xe8000);
    allocator.free(0xe8000, 4);
    assertThat(allocator.tryReserve(0xe4000, 0xeffff)).as("merges, and takes what was cached").isTrue();
    assertThat(allocator.tryReserve(0xd0000, -1L)).isFalse();
    allocator.free(live, 16);
    assertThat(allocator.tryReserve(0xd0000, -1L)).as("free again, and partly outside").isTrue();
    assertThat(allocator.allocate(1, -1L)).isEqualTo(0xcf000);
    assertThat(allocator.allocate(16, -1L)).isEqualTo(0xb0000);
  }

  @Test
  void wrongFreesAreRefusedAndChangeNothing() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    for (int granules : new int[] {1, 3, 32, 33, 256, 5000}) {
      long iova = allocator.allocate(granules, -1L);
      IovaStatistics before = allocator.statistics();
      refuses(allocator, iova, granules + 1, "was allocated with " + granules);
      refuses(allocator, iova, 1000, "was allocated with " + granules);
      refuses(allocator, iova + 1, granules, "no live range");
      refuses(allocator, iova + 0x1000, granules, "no live range");
      refuses(allocator, iova, 0, "was allocated");
      refuses(allocator, iova, -1, "was allocated");
      refuses(allocator, 0x1000, granules, "no live range");
      refuses(allocator, -0x1000L, granules, "no live range");
      refuses(allocator, IovaAllocator.NO_IOVA, granules, "no live range");
      assertThat(allocator.statistics()).isEqualTo(before);
      allocator.free(iova, granules);
      refuses(allocator, iova, granules, "no live range");
      allocator.drainCaches();
      refuses(allocator, iova, granules, "no live range");
    }
    assertThat(allocator.statistics().liveRanges()).isZero();
  }

  @Test
  void everySizeIsFreedOnceAndOnlyAsItWasAllocated() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    long[] sizes = {1, 2, 3, 4, 17, 31, 32, 33, 40, 64, 65, 255, 256, 257, 511, 512, 513, 1024, 1025, 65_536, 70_000};
    long[] iovas = new long[sizes.length];
    for (int i = 0; i < sizes.length; i++) {
      iovas[i] = allocator.allocate(sizes[i], -1L);
    }
    for (int i = 0; i < sizes.length; i++) {
      for (long other : sizes) {
        if (other != sizes[i]) {
          refuses(allocator, iovas[i], other, "allocated with " + sizes[i] + " granules");
        }
      }
      refuses(allocator, iovas[i] + 1, sizes[i], "no live range begins there");
      allocator.free(iovas[i], sizes[i]);
      refuses(allocator, iovas[i], sizes[i], "no live range begins there");
      refuses(allocator, iovas[i], 0, "no live range begins there");
      refuses(allocator, iovas[i], -1, "no live range begins there");
    }
    assertThat(allocator.statistics().liveRanges()).isZero();
  }

  private static void refuses(IovaAllocator allocator, long iova, long granules, String reason) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> allocator.free(iova, granules))
        .withMessageStartingWith("test: cannot free " + granules + " granules at IOVA 0x" + Long.toHexString(iova))
        .withMessageContaining(reason);
  }

  @Test
  void everyLiveRangeIsFoundAmongManyFarApart() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    List<Long> iovas = new ArrayList<>();
    for (long limit = LIMIT_48; limit > 0x1_0000_0000L; limit -= limit >> 4) {
      iovas.add(allocator.allocate(2, limit));
      iovas.add(allocator.allocate(300, limit));
    }
    List<Long> found = new ArrayList<>();
    allocator.forEachLive((iova, granules) -> found.add(iova));
    assertThat(found).isSorted().containsExactlyInAnyOrderElementsOf(iovas);
    for (int i = 0; i < iovas.size(); i += 2) {
      refuses(allocator, iovas.get(i), 300, "was allocated with 2");
      refuses(allocator, iovas.get(i + 1), 2, "was allocated with 300");
      allocator.free(iovas.get(i), 2);
      allocator.free(iovas.get(i + 1), 300);
    }
    assertThat(allocator.statistics().liveRanges()).isZero();
    allocator.forEachLive((iova, granules) -> found.clear());
    assertThat(found).as("nothing is visited").hasSize(iovas.size());
  }

  @Test
  void impossibleRequestsAreRefused() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    assertThatIllegalArgumentException().isThrownBy(() -> allocator.allocate(0, -1L));
    assertThatIllegalArgumentException().isThrownBy(() -> allocator.allocate(-5, -1L));
    assertThatIllegalArgumentException().isThrownBy(() -> allocator.allocate(1, 3, -1L, -1L));
    assertThatIllegalArgumentException().isThrownBy(() -> allocator.allocate(1, Long.MIN_VALUE, -1L, -1L));
    assertThatIllegalArgumentException().isThrownBy(() -> allocator.tryReserve(2, 1));
    assertThat(allocator.allocate(Long.MAX_VALUE, -1L)).isEqualTo(IovaAllocator.NO_IOVA);
  }

  @Test
  void cachesGiveUpEverythingBeforeAnAllocationFails() {
    IovaAllocator allocator = allocator(0, 0xff_ffff);
    long[] iovas = new long[2048];
    for (int i = 0; i < iovas.length; i++) {
      iovas[i] = allocator.allocate(1, 0x7f_ffff);
    }
    for (int i = 0; i < 2047; i++) {
      allocator.free(iovas[i], 1);
    }
    assertThat(iovas[2047]).isEqualTo(IovaAllocator.NO_IOVA);
    assertThat(allocator.allocate(1024, 0x7f_ffff)).isEqualTo(0x40_0000);
  }

  @Test
  void theLargeRangeGivenBackLastIsKeptForItsLike() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    long first = allocator.allocate(1024, -1L);
    long second = allocator.allocate(1024, -1L);
    allocator.free(first, 1024);
    assertThat(allocator.statistics()).isEqualTo(new IovaStatistics(2, 1, 1024, 1, 1024));
    assertThat(allocator.allocate(1025, -1L)).as("of another size").isLessThan(second);
    assertThat(allocator.allocate(1024, second)).as("above the limit").isLessThan(second);
    assertThat(allocator.allocate(1000, -1L)).as("rounded to the same size").isEqualTo(first);
    allocator.free(first, 1000);
    allocator.free(second, 1024);
    assertThat(allocator.statistics().cachedGranules()).as("one is kept").isEqualTo(1024);
    assertThat(allocator.allocate(1024, -1L)).isEqualTo(second);
    assertThat(allocator.statistics().cachedRanges()).isZero();
  }

  @Test
  void aLargeRangeThatIsKeptServesOnlyWhomItsAlignmentSuits() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    long first = allocator.allocate(1024, -1L);
    long alignment = 2048;
    assertThat(first & (alignment << 12) - 1).as("at the end of an aligned block").isEqualTo(1024 << 12);
    allocator.free(first, 1024);
    long aligned = allocator.allocate(1024, alignment, -1L, -1L);
    assertThat(aligned & (alignment << 12) - 1).isZero();
    assertThat(allocator.statistics().cachedGranules()).isEqualTo(1024);
    assertThat(allocator.allocate(1024, -1L)).isEqualTo(first);
  }

  /** Stripes together keep an eighth of the space at most, lest the rest be cut to pieces. */
  @Test
  void aLargeRangeThatIsMuchOfTheSpaceIsNotKept() {
    IovaAllocator allocator = new IovaAllocator(new IovaSpace("test", 0x1000, 0, (1L << 26) - 1), 2);
    long kept = allocator.allocate(1024, -1L);
    long larger = allocator.allocate(1025, -1L);
    allocator.free(larger, 1025);
    assertThat(allocator.statistics().cachedGranules()).isZero();
    allocator.free(kept, 1024);
    assertThat(allocator.statistics().cachedGranules()).isEqualTo(1024);
  }

  @Test
  void aLargeRangeThatIsKeptServesOtherSizesBeforeAnyIsRefused() {
    IovaAllocator allocator = allocator(0, (1L << 28) - 1);
    long granules = 1L << 28 - 12;
    long all = 0;
    for (; allocator.allocate(1024, -1L) != IovaAllocator.NO_IOVA; all++) {
      assertThat(all).isLessThan(granules / 1024);
    }
    long last = 1024L << 12;
    allocator.free(last, 1024);
    assertThat(allocator.statistics().cachedGranules()).isEqualTo(1024);
    assertThat(allocator.allocate(600, -1L)).isEqualTo(last);
    assertThat(allocator.statistics().cachedRanges()).isZero();
  }

  @Test
  void statisticsAndLeakReportTellWhatIsLive() {
    IovaAllocator allocator = allocator(0, LIMIT_48);
    long first = allocator.allocate(3, -1L);
    long second = allocator.allocate(700, -1L);
    long third = allocator.allocate(9, -1L);
    allocator.free(third, 9);
    assertThat(allocator.statistics()).isEqualTo(new IovaStatistics(3, 2, 4 + 768, 1, 16));
    assertThat(allocator.statistics().frees()).isEqualTo(1);
    List<String> leaks = new ArrayList<>();
    allocator.forEachLive((iova, granules) -> leaks.add(Long.toHexString(iova) + "+" + granules));
    assertThat(leaks).containsExactly(Long.toHexString(second) + "+700", Long.toHexString(first) + "+3");
  }
}
