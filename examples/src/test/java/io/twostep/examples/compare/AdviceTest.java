package io.twostep.examples.compare;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.examples.compare.StackKind.Case;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The same advice never comes from other figures. */
class AdviceTest {
  private static final int PAGES = 32;
  private final List<StrategyCost> costs = new ArrayList<>();
  private long ioSize = 128 << 10;
  private double pagesPerIo = PAGES;

  /** Add a strategy: nanoseconds of a page on the processor, simulated of a request, invalidations of ten requests. */
  private void cost(StackKind stack, MapStrategy strategy, double pageNanos, long simulated, long invalidations, double registerNanos) {
    cost(stack, strategy, pageNanos, simulated, invalidations, registerNanos, 0);
  }

  private void cost(StackKind stack, MapStrategy strategy, double pageNanos, long simulated, long invalidations, double registerNanos, double metadata) {
    Counted counted = new Counted(10, 10, 10, 0, 0, invalidations, 0, stack.coherent() ? 0 : 640, metadata, 10 * simulated, List.of());
    Spread all = new Spread(pageNanos, pageNanos, pageNanos);
    Timed timed = new Timed(all, new Spread(0, 0, 0), 0, new Spread(registerNanos, registerNanos, registerNanos));
    costs.add(new StrategyCost(new Case(stack, strategy), counted, timed, pagesPerIo));
  }

  private List<String> advice() {
    return Advice.of(new Comparison(SyntheticLayout.of("scattered:4Kx32", 1), ioSize, costs, List.of()));
  }

  @Test
  void theCheapestIsNamedWithWhatItDoesLessOf() {
    cost(StackKind.IOMMU, MapStrategy.PER_PAGE, 100, 2000, 320, 0);
    cost(StackKind.IOMMU, MapStrategy.TWO_STEP, 30, 40, 10, 0);

    assertThat(advice())
        .singleElement()
        .isEqualTo(
            "Behind the IOMMU, two-step is the cheapest way to map requests of these buffers: 1.0 us a request (960 ns mapping, 0.0 ns unmapping, 40 ns simulated translation; 1 entry)."
                + " per-page takes 5.2 times as long, with 32 invalidations instead of 1, 3.2 us instead of 960 ns on the processor.");
  }

  @Test
  void whoeverIsCheaperWins() {
    cost(StackKind.DIRECT, MapStrategy.PER_PAGE, 10, 0, 0, 0);
    cost(StackKind.DIRECT, MapStrategy.TWO_STEP, 30, 0, 0, 0);

    assertThat(advice()).singleElement().asString().startsWith("Without an IOMMU, per-page is the cheapest way").contains("two-step takes 3.0 times as long");
  }

  @Test
  void whatDiffersLittleIsNotCalledADifference() {
    cost(StackKind.DIRECT, MapStrategy.SCATTER_LIST, 31, 0, 0, 0);
    cost(StackKind.DIRECT, MapStrategy.TWO_STEP, 30, 0, 0, 0);

    assertThat(advice())
        .singleElement()
        .asString()
        .startsWith("Without an IOMMU, two-step is as cheap as any way to map requests of these buffers: 960 ns a request")
        .endsWith("scatter-list costs the same (992 ns).");
  }

  /** Which of them is a nanosecond ahead is chance, what they keep is not. */
  @Test
  void ofThoseThatCostTheSameTheOneThatKeepsTheLeastIsNamed() {
    cost(StackKind.IOMMU, MapStrategy.PER_PAGE, 30, 1000, 10, 0, 748);
    cost(StackKind.IOMMU, MapStrategy.SCATTER_LIST, 29, 1000, 10, 0, 32);
    cost(StackKind.IOMMU, MapStrategy.TWO_STEP, 31, 1000, 10, 0, 0);

    assertThat(advice())
        .singleElement()
        .isEqualTo(
            "Behind the IOMMU, two-step is as cheap as any way to map requests of these buffers: 2.0 us a request (992 ns mapping, 0.0 ns unmapping, 1.0 us simulated translation; 1 entry)."
                + " scatter-list costs the same (1.9 us), and keeps 32 B a page instead of 0; per-page costs the same (2.0 us), and keeps 748 B a page instead of 0.");
  }

  @Test
  void whatIsCheaperIsNamedThoughItKeepsMore() {
    cost(StackKind.DIRECT, MapStrategy.PER_PAGE, 10, 0, 0, 0, 516);
    cost(StackKind.DIRECT, MapStrategy.TWO_STEP, 12, 0, 0, 0, 0);

    assertThat(advice()).singleElement().asString().contains("per-page is the cheapest way", "(320 ns mapping, 0.0 ns unmapping; 1 entry)", "two-step takes 1.2 times as long");
  }

  @Test
  void registeringIsWeighedWithoutAnIommuToo() {
    cost(StackKind.DIRECT, MapStrategy.TWO_STEP, 10, 0, 0, 0, 0);
    cost(StackKind.DIRECT, MapStrategy.REGISTERED, 2, 0, 0, 16, 16.125);

    assertThat(advice())
        .anySatisfy(
            line ->
                assertThat(line)
                    .startsWith("Buffers that stay should be registered without an IOMMU: a request then costs 64 ns instead of 320 ns")
                    .endsWith("used 2 times; but what is registered keeps 16.1 B a page."));
  }

  @Test
  void registeringPaysBackAfterAsManyUsesAsItsFiguresSay() {
    cost(StackKind.IOMMU, MapStrategy.TWO_STEP, 30, 0, 10, 0);
    cost(StackKind.IOMMU, MapStrategy.REGISTERED, 5, 0, 1, 90);

    assertThat(advice()).anySatisfy(line -> assertThat(line).startsWith("Buffers that stay should be registered behind the IOMMU: a request then costs 160 ns instead of 960 ns").contains("used 4 times"));
  }

  /** Eight requests share what registering a page costs. */
  @Test
  void registeringIsPaidForTheBytesOfARequestAndNotForWholePages() {
    ioSize = 512;
    pagesPerIo = 1;
    cost(StackKind.IOMMU, MapStrategy.TWO_STEP, 30, 0, 10, 0);
    cost(StackKind.IOMMU, MapStrategy.REGISTERED, 5, 0, 1, 400);

    assertThat(advice()).anySatisfy(line -> assertThat(line).contains("registering costs 50 ns for the memory of a request", "used 2 times"));
  }

  @Test
  void registeringThatSavesNothingIsNotRecommended() {
    cost(StackKind.IOMMU, MapStrategy.TWO_STEP, 5, 0, 10, 0);
    cost(StackKind.IOMMU, MapStrategy.REGISTERED, 5, 0, 1, 90);

    assertThat(advice()).anySatisfy(line -> assertThat(line).startsWith("Registering the buffers behind the IOMMU saves nothing to speak of"));
  }

  @Test
  void lazinessIsRecommendedOnlyWhereItSavesAndWithItsRisk() {
    cost(StackKind.IOMMU, MapStrategy.TWO_STEP, 10, 1000, 10, 0);
    cost(StackKind.IOMMU, MapStrategy.LAZY, 10, 1, 1, 0);
    assertThat(advice()).anySatisfy(line -> assertThat(line).startsWith("Lazy invalidation saves 999 ns of 1.3 us a request (1 invalidation instead of 10)").contains("only for devices you trust"));

    costs.removeLast();
    cost(StackKind.IOMMU, MapStrategy.LAZY, 10, 990, 9, 0);
    assertThat(advice()).anySatisfy(line -> assertThat(line).startsWith("Lazy invalidation saves nothing to speak of").endsWith("so stay strict."));
  }

  @Test
  void copyingIsRecommendedWhereItIsCheaper() {
    cost(StackKind.IOMMU, MapStrategy.TWO_STEP, 100, 0, 10, 0);
    cost(StackKind.BOUNCED_IOMMU, MapStrategy.BOUNCE, 50, 0, 10, 0);

    assertThat(advice()).anySatisfy(line -> assertThat(line).isEqualTo("Copying through bounce slots is cheaper than mapping behind the IOMMU: 1.6 us a request against 3.2 us."));
  }

  @Test
  void theOtherTableFormatIsComparedByTwoStep() {
    cost(StackKind.IOMMU, MapStrategy.TWO_STEP, 100, 0, 10, 0);
    cost(StackKind.AMD_V1, MapStrategy.TWO_STEP, 50, 0, 10, 0);

    assertThat(advice()).anySatisfy(line -> assertThat(line).isEqualTo("In AMD's table format, two-step takes 1.6 us a request instead of 3.2 us, with 0 table writes instead of 0."));
  }

  @Test
  void aDeviceThatDoesNotSeeCachesHasItsLinesNamed() {
    cost(StackKind.DIRECT, MapStrategy.TWO_STEP, 10, 0, 0, 0);
    cost(StackKind.NON_COHERENT_DIRECT, MapStrategy.TWO_STEP, 20, 0, 0, 0);

    assertThat(advice())
        .anySatisfy(
            line ->
                assertThat(line)
                    .startsWith("For a device that does not see CPU caches, without an IOMMU, 64 cache lines a request have to be written back")
                    .contains("nothing is copied: no edge shares a line with others")
                    .endsWith("two-step takes 640 ns a request instead of 320 ns."));
  }
}
