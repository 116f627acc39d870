package io.twostep.device.nvme.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.Seeds;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.U64;
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

class SglBuilderTest {
  private static final int PAGE = 4096;
  private static final U64 WORD_0 = new U64(24);
  private static final U64 WORD_1 = new U64(32);

  private final FakeListPages pages = new FakeListPages(PAGE, 40);
  private final SglBuilder builder = new SglBuilder(pages, 4000, false);
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
    "1, 0", "2, 1", "16, 1", "17, 1", "255, 1", "256, 1", "257, 2", "510, 2", "511, 2", "512, 3", "766, 3", "767, 4", "4000, 16"
  })
  void segmentsHoldAsManyDescriptorsAsFit(int ranges, int listPages) {
    Ranges request = Ranges.scattered(Seeds.random(), ranges, 1);
    build(request);
    assertThat(pages.outstanding()).isEqualTo(listPages);
    assertThat(builder.listPieces()).isEqualTo(listPages);
    assertThat(pages.smallOutstanding()).isEqualTo(ranges > 1 && ranges <= 16 ? 1 : 0);
    assertThat(parse()).as(Seeds.at(0)).isEqualTo(request);
  }

  @Test
  void oneRangeIsOneDescriptorInTheCommand() {
    build(Ranges.of(0x1234_5677L, 0x8000_0001L));
    assertThat(WORD_0.get(sqe, 0)).isEqualTo(0x1234_5677L);
    assertThat(WORD_1.get(sqe, 0)).isEqualTo(0x8000_0001L);
    assertThat(SqeLayout.PSDT.get(SqeLayout.FLAGS.get(sqe, 0))).isEqualTo(SqeLayout.PSDT_SGL);
    assertThat(SqeLayout.FUSE.get(SqeLayout.FLAGS.get(sqe, 0))).as("the fuse is not ours").isEqualTo(3);
  }

  @Test
  void rangeLongerThanDescriptorIsCutOnAPage() {
    long length = (1L << 33) + 12;
    build(Ranges.of(0x10_0000_0000L, length));
    Ranges parsed = parse();
    assertThat(parsed.count()).isEqualTo(3);
    assertThat(parsed.list().getFirst().length()).isEqualTo((1L << 32) - 4096);
    assertThat(parsed.merged()).isEqualTo(Ranges.of(0x10_0000_0000L, length));
    builder.release();
    build(Ranges.of(0x10_0000_0000L, (1L << 32) - 1));
    assertThat(parse().count()).isEqualTo(1);
  }

  @Test
  void emptyRequestIsAnEmptyDescriptor() {
    build(Ranges.of());
    assertThat(WORD_0.get(sqe, 0)).isZero();
    assertThat(WORD_1.get(sqe, 0)).isZero();
  }

  @Test
  void randomRequestsDescribeTheirOwnBytes() {
    RandomGenerator random = Seeds.random();
    for (int round = 0; round < 5_000; round++) {
      Ranges request = Ranges.scattered(random, random.nextInt(1, random.nextInt(20) == 0 ? 1500 : 40), 1);
      build(request);
      assertThat(parse()).as(Seeds.at(round)).isEqualTo(request);
      builder.release();
    }
  }

  @Test
  void sameRequestCoversTheSameBytesInBothFormats() {
    RandomGenerator random = Seeds.random();
    PrpBuilder prp = new PrpBuilder(pages, 1 << 20);
    for (int round = 0; round < 2_000; round++) {
      Ranges request = Ranges.onPages(random, PAGE, 4L * random.nextInt(1, 100_000));
      build(request);
      Ranges bySgl = parse();
      builder.release();
      prp.begin(request.length());
      assertThat(request.feed(prp) && prp.finish(sqe, 0)).as(Seeds.at(round)).isTrue();
      assertThat(PrpParser.parse(pages, WORD_0.get(sqe, 0), WORD_1.get(sqe, 0), request.length()))
          .as(Seeds.at(round))
          .isEqualTo(bySgl.merged());
      prp.release();
    }
  }

  @Test
  void listMemoryFailingAtAnyCallGivesEverythingBack() {
    Ranges request = Ranges.scattered(Seeds.random(), 1000, 4);
    for (int successes = 0; successes < 4; successes++) {
      pages.failAfter(successes);
      builder.begin(request.length(), request.count());
      assertThat(request.feed(builder)).isFalse();
      assertThat(builder.failure()).isEqualTo(BuildFailure.NO_LIST_MEMORY);
      assertThat(pages.outstanding()).isZero();
      assertThat(builder.finish(sqe, 0)).isFalse();
      assertThat(WORD_0.get(sqe, 0)).as("the command is unchanged").isEqualTo(-1L);
    }
    pages.failAfter(4);
    build(request);
    assertThat(parse()).isEqualTo(request);
  }

  @Test
  void controllerThatWantsDwordsGetsNothingElse() {
    SglBuilder strict = new SglBuilder(pages, 300, true);
    for (Ranges bad : new Ranges[] {Ranges.of(0x1002, 4), Ranges.of(0x1000, 6)}) {
      strict.begin(bad.length(), 1);
      assertThat(bad.feed(strict)).isFalse();
      assertThat(strict.failure()).isEqualTo(BuildFailure.MISALIGNED);
    }
    Ranges good = Ranges.of(0x1004, 4, 0x3ff8, 12);
    strict.begin(good.length(), good.count());
    assertThat(good.feed(strict)).isTrue();
    strict.release();
  }

  @Test
  void badRangesAreRefusedWithTheirReason() {
    refused(Ranges.of(0, 1), 1, BuildFailure.BAD_RANGE);
    refused(Ranges.of(0x1000, 0), 1, BuildFailure.BAD_RANGE);
    refused(Ranges.of(-8L, 9), 9, BuildFailure.BAD_RANGE);
    refused(Ranges.of(0x1000, 9), 8, BuildFailure.TOO_LONG);
    refused(Ranges.scattered(Seeds.random(), 4300, 1), Long.MAX_VALUE, BuildFailure.TOO_MANY);
    builder.begin(10, 1);
    assertThat(builder.accept(0x1000, 9, RangeKind.LOCAL)).isTrue();
    assertThat(builder.finish(sqe, 0)).isFalse();
    assertThat(builder.failure()).isEqualTo(BuildFailure.TOO_SHORT);
  }

  @Test
  void aLaterRangeBeyondTheRequestIsRefused() {
    refused(Ranges.of(0x1000, 8, 0x3000, 9), 16, BuildFailure.TOO_LONG);
  }

  @Test
  void theLastByteOfTheAddressSpaceIsReachable() {
    Ranges request = Ranges.of(0x5000, 7, -7L, 7);
    build(request);
    assertThat(parse()).isEqualTo(request);
  }

  /** A sink that agrees has the request mapped: the range that finds no memory is the one that must be refused. */
  @ParameterizedTest
  @CsvSource({"2, 0", "257, 1", "512, 2"})
  void theLastRangeIsRefusedByItselfWhenItsListFindsNoMemory(int ranges, int successes) {
    pages.failAfter(successes);
    refused(Ranges.scattered(Seeds.random(), ranges, 1), Long.MAX_VALUE, BuildFailure.NO_LIST_MEMORY);
  }

  @Test
  void aRangeThatMustBeCutIsRefusedWhenItsPiecesFindNoMemory() {
    for (int successes = 0; successes < 2; successes++) {
      pages.failAfter(successes);
      long pieces = successes == 0 ? 3 : 300;
      refused(Ranges.of(0x1000, pieces << 32), Long.MAX_VALUE, BuildFailure.NO_LIST_MEMORY);
    }
  }

  /** Counts that fill list pages to the last slot: a page gives its last slot to the link, but for the last page. */
  @ParameterizedTest
  @CsvSource({"2, 256", "256, 256", "257, 511", "511, 511", "512, 766", "60000, 60181"})
  void aBuilderTakesWhatItWasMadeForAndNoMoreThanItsPagesHold(int made, int most) {
    FakeListPages many = new FakeListPages(PAGE, 300);
    SglBuilder other = new SglBuilder(many, made, false);
    other.begin(2L * most, most);
    for (int i = 0; i < most; i++) {
      assertThat(other.accept(0x1000 + 4L * i, 1, RangeKind.LOCAL)).as("range %d", i).isTrue();
    }
    assertThat(other.accept(0x1000, 1, RangeKind.LOCAL)).isFalse();
    assertThat(other.failure()).isEqualTo(BuildFailure.TOO_MANY);
    assertThat(many.outstanding()).isZero();
  }

  @Test
  void beginRefusesWhileTheLastListIsHeld() {
    build(Ranges.scattered(Seeds.random(), 2, 1));
    assertThatThrownBy(() -> builder.begin(1, 1)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void warmBuildingAllocatesNothing() {
    SglBuilder quiet = new SglBuilder(new QuietListPages(PAGE, 40), 600, false);
    assertThat(
            Allocation.leastBytesOf(
                () -> {
                  quiet.begin(300 * 100, 300);
                  for (int i = 0; i < 300; i++) {
                    quiet.accept(0x1000L + 200L * i, 100, RangeKind.LOCAL);
                  }
                  quiet.finish(sqe, 0);
                  quiet.release();
                }))
        .isZero();
    assertThat(quiet.failure()).isEqualTo(BuildFailure.NONE);
  }

  private void build(Ranges request) {
    builder.begin(request.length(), request.count());
    assertThat(request.feed(builder)).as("%s", builder.failure()).isTrue();
    assertThat(builder.finish(sqe, 0)).isTrue();
  }

  private void refused(Ranges request, long length, BuildFailure why) {
    builder.begin(length, request.count());
    assertThat(request.feed(builder)).isFalse();
    assertThat(builder.failure()).isEqualTo(why);
    assertThat(builder.accept(0x100000, 4, RangeKind.LOCAL)).isFalse();
    assertThat(pages.outstanding()).isZero();
  }

  private Ranges parse() {
    return SglParser.parse(pages, WORD_0.get(sqe, 0), WORD_1.get(sqe, 0));
  }
}
