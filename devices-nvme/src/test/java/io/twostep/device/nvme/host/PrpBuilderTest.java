package io.twostep.device.nvme.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.Seeds;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.RangeKind;
import io.twostep.tck.Allocation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PrpBuilderTest {
  private static final int PAGE = 4096;
  private static final long MAX = 64L << 20;

  private final FakeListPages pages = new FakeListPages(PAGE, 40);
  private final PrpBuilder builder = new PrpBuilder(pages, MAX);
  private final MemorySegment sqe = Arena.ofAuto().allocate(SqeLayout.SIZE, 8);

  @BeforeEach
  void leaveTracesOfAnOlderCommand() {
    sqe.fill((byte) 0xff);
  }

  @AfterEach
  void everyListPageComesBack() {
    builder.release();
    assertThat(pages.outstanding()).isZero();
  }

  @ParameterizedTest
  @CsvSource({
    "1, 0", "2, 1", "32, 1", "33, 1", "511, 1", "512, 1", "513, 2", "514, 2", "1022, 2", "1023, 2", "1024, 3", "1533, 3",
    "1534, 3", "1535, 4", "2047, 5", "2048, 5"
  })
  void listHasAsManyPagesAsItsEntriesNeed(int entries, int listPages) {
    Ranges request = scatteredPages(entries + 1, PAGE);
    build(request);
    assertThat(pages.outstanding()).isEqualTo(listPages);
    assertThat(parse(request)).isEqualTo(request.merged());
  }

  @ParameterizedTest
  @CsvSource({"2, 1", "32, 1", "33, 0"})
  void shortListTakesSmallPiece(int entries, int small) {
    build(scatteredPages(entries + 1, PAGE));
    assertThat(pages.smallOutstanding()).isEqualTo(small);
    assertThat(builder.listPieces()).isEqualTo(1);
  }

  @Test
  void oneRangeOfManyPagesIsSpreadOverItsPages() {
    Ranges request = Ranges.of(0x7_0000_0abcL, 9 * PAGE + 0x600);
    build(request);
    assertThat(parse(request)).isEqualTo(request);
  }

  @Test
  void partOfOnePageClearsTheSecondPointer() {
    Ranges request = Ranges.of(0x1000_0ffcL, 4);
    build(request);
    assertThat(SqeLayout.PRP1.get(sqe, 0)).isEqualTo(0x1000_0ffcL);
    assertThat(SqeLayout.PRP2.get(sqe, 0)).isZero();
    assertThat(SqeLayout.PSDT.get(SqeLayout.FLAGS.get(sqe, 0))).isEqualTo(SqeLayout.PSDT_PRP);
    assertThat(SqeLayout.FUSE.get(SqeLayout.FLAGS.get(sqe, 0))).as("the fuse is not ours").isEqualTo(3);
  }

  @Test
  void commandWithoutDataHasNoPointers() {
    build(Ranges.of());
    assertThat(SqeLayout.PRP1.get(sqe, 0)).isZero();
    assertThat(SqeLayout.PRP2.get(sqe, 0)).isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {8L << 20, (8L << 20) + 4, 33L << 20, MAX})
  void largeRequestsChainTheirLists(long length) {
    RandomGenerator random = Seeds.random();
    Ranges request = Ranges.onPages(random, PAGE, length);
    build(request);
    assertThat(parse(request)).as(Seeds.at(0)).isEqualTo(request.merged());
  }

  @Test
  void randomRequestsDescribeTheirOwnBytes() {
    RandomGenerator random = Seeds.random();
    for (int round = 0; round < 20_000; round++) {
      long length = 4L * (random.nextInt(50) == 0 ? random.nextInt(1, 2 << 20) : random.nextInt(1, 40_000));
      Ranges request = Ranges.onPages(random, PAGE, length);
      if (random.nextBoolean()) {
        request = request.shredded(random);
      }
      build(request);
      assertThat(parse(request)).as(Seeds.at(round)).isEqualTo(request.merged());
      builder.release();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {8192, 16384, 65536})
  void otherPageSizesFollowTheSameRule(int pageSize) {
    FakeListPages large = new FakeListPages(pageSize, 10);
    PrpBuilder other = new PrpBuilder(large, 1L << 31);
    int slots = pageSize / 8;
    for (int entries : new int[] {1, 2, slots - 1, slots, slots + 1, 2 * slots - 2, 2 * slots - 1, 2 * slots}) {
      Ranges request = scatteredPages(entries + 1, pageSize);
      other.begin(request.length());
      assertThat(request.feed(other)).isTrue();
      assertThat(other.finish(sqe, 0)).isTrue();
      assertThat(PrpParser.parse(large, SqeLayout.PRP1.get(sqe, 0), SqeLayout.PRP2.get(sqe, 0), request.length()))
          .isEqualTo(request.merged());
      other.release();
    }
    assertThat(large.outstanding()).isZero();
  }

  @Test
  void listMemoryFailingAtAnyCallGivesEverythingBack() {
    Ranges request = scatteredPages(2049, PAGE);
    for (int successes = 0; successes < 5; successes++) {
      pages.failAfter(successes);
      builder.begin(request.length());
      assertThat(request.feed(builder)).isFalse();
      assertThat(builder.failure()).isEqualTo(BuildFailure.NO_LIST_MEMORY);
      assertThat(builder.failure().isRetryable()).isTrue();
      assertThat(pages.outstanding()).isZero();
      assertThat(builder.finish(sqe, 0)).isFalse();
      assertThat(SqeLayout.PRP1.get(sqe, 0)).as("the command is unchanged").isEqualTo(-1L);
    }
    pages.failAfter(5);
    build(request);
    assertThat(parse(request)).isEqualTo(request.merged());
  }

  @Test
  void rangesThatMeetOffThePageAreRefused() {
    refused(Ranges.of(0x10000, 0x800, 0x20000, 0x800), BuildFailure.MISALIGNED);
    refused(Ranges.of(0x10000, 0x1000, 0x20004, 0xffc), BuildFailure.MISALIGNED);
    refused(Ranges.of(0x10002, 0x1000), BuildFailure.MISALIGNED);
  }

  @Test
  void rangesThatTouchMayMeetAnywhere() {
    Ranges request = Ranges.of(0x10010, 0x7f0, 0x10800, 0x900, 0x11100, 0x20, 0x11120, 0xee0, 0x40000, 0x40);
    build(request);
    assertThat(parse(request)).isEqualTo(request.merged());
  }

  @Test
  void badRangesAreRefusedWithTheirReason() {
    refused(Ranges.of(0, 0x1000), BuildFailure.BAD_RANGE);
    refused(Ranges.of(0x1000, 0x1000, 0x2000, 0), BuildFailure.BAD_RANGE);
    refused(Ranges.of(-0x1000L, 0x2000), BuildFailure.BAD_RANGE);
    builder.begin(0x1000);
    assertThat(builder.accept(0x1000, 0x1004, RangeKind.LOCAL)).isFalse();
    assertThat(builder.failure()).isEqualTo(BuildFailure.TOO_LONG);
    builder.begin(0x1_0000);
    assertThat(builder.accept(0x1000, 0x8000, RangeKind.LOCAL)).isTrue();
    assertThat(builder.finish(sqe, 0)).isFalse();
    assertThat(builder.failure()).isEqualTo(BuildFailure.TOO_SHORT);
    assertThat(pages.outstanding()).isZero();
  }

  @Test
  void aLaterRangeBeyondTheRequestIsRefused() {
    builder.begin(2 * PAGE);
    assertThat(builder.accept(0x10000, PAGE, RangeKind.LOCAL)).isTrue();
    assertThat(builder.accept(0x20000, PAGE + 4, RangeKind.LOCAL)).isFalse();
    assertThat(builder.failure()).isEqualTo(BuildFailure.TOO_LONG);
  }

  @Test
  void theLastRangeIsRefusedByItselfWhenItsListFindsNoMemory() {
    pages.failAfter(0);
    builder.begin(9 * PAGE);
    assertThat(builder.accept(0x10000, 9 * PAGE, RangeKind.LOCAL)).as("a sink that agrees has the request mapped").isFalse();
    assertThat(builder.failure()).isEqualTo(BuildFailure.NO_LIST_MEMORY);
  }

  /** Just before a page's end, a request has as many entries as one of its length can have. */
  @ParameterizedTest
  @ValueSource(longs = {0, 4, PAGE, 512L * PAGE, 512L * PAGE + 8, 1023L * PAGE + 8, 1024L * PAGE})
  void theLongestRequestIsTakenWhereverItBegins(long most) {
    PrpBuilder other = new PrpBuilder(pages, most);
    for (long start : new long[] {0x10000, 0x10ffc}) {
      Ranges request = most == 0 ? Ranges.of() : Ranges.of(start, most);
      other.begin(most);
      assertThat(request.feed(other) && other.finish(sqe, 0)).as("%s: %s", other.failure(), request).isTrue();
      assertThat(parse(request)).isEqualTo(request);
      other.release();
    }
  }

  @Test
  void aBuilderForRequestsThatNoListCountsIsRefused() {
    for (long most : new long[] {-1, (long) PAGE * Integer.MAX_VALUE, Long.MAX_VALUE}) {
      assertThatThrownBy(() -> new PrpBuilder(pages, most)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining(Long.toString(most));
    }
  }

  @Test
  void lastPageOfTheAddressSpaceIsReachable() {
    Ranges request = Ranges.of(0x5000, 0x1000, -0x1000L, 0x1000);
    build(request);
    assertThat(parse(request)).isEqualTo(request);
  }

  @Test
  void beginRefusesWhatTheBuilderWasNotMadeFor() {
    assertThatThrownBy(() -> builder.begin(MAX + 1)).isInstanceOf(IllegalArgumentException.class);
    build(scatteredPages(5, PAGE));
    assertThatThrownBy(() -> builder.begin(PAGE)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void warmBuildingAllocatesNothing() {
    long[] addresses = scatteredPages(1100, PAGE).list().stream().mapToLong(Ranges.Range::dmaAddress).toArray();
    PrpBuilder quiet = new PrpBuilder(new QuietListPages(PAGE, 40), MAX);
    assertThat(Allocation.leastBytesOf(() -> rebuild(quiet, addresses))).isZero();
    assertThat(quiet.failure()).isEqualTo(BuildFailure.NONE);
  }

  private void rebuild(PrpBuilder quiet, long[] addresses) {
    quiet.begin((long) addresses.length * PAGE);
    for (long address : addresses) {
      quiet.accept(address, PAGE, RangeKind.LOCAL);
    }
    quiet.finish(sqe, 0);
    quiet.release();
  }

  /** Pages with one hole between any two, so that nothing merges. */
  private static Ranges scatteredPages(int count, int pageSize) {
    long[] pairs = new long[2 * count];
    for (int i = 0; i < count; i++) {
      pairs[2 * i] = 0x1_0000_0000L + 2L * i * pageSize;
      pairs[2 * i + 1] = pageSize;
    }
    return Ranges.of(pairs);
  }

  private void build(Ranges request) {
    builder.begin(request.length());
    assertThat(request.feed(builder)).as("%s: %s", builder.failure(), request).isTrue();
    assertThat(builder.finish(sqe, 0)).isTrue();
  }

  private void refused(Ranges request, BuildFailure why) {
    builder.begin(request.length());
    assertThat(request.feed(builder)).isFalse();
    assertThat(builder.failure()).isEqualTo(why);
    assertThat(builder.accept(0x100000, 4, RangeKind.LOCAL)).isFalse();
  }

  private Ranges parse(Ranges request) {
    return PrpParser.parse(pages, SqeLayout.PRP1.get(sqe, 0), SqeLayout.PRP2.get(sqe, 0), request.length());
  }
}
