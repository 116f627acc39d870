package io.twostep.examples.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole runs, and what they count. */
class ComparisonTest {
  private static final long SEED = Long.getLong("twostep.seed", 20261121L);
  private static final StackChoice IOMMU = Stacks.of(List.of("iommu"), "strict", "");

  @TempDir Path work;

  private Path file(int size) throws Exception {
    byte[] bytes = new byte[size];
    new Random(SEED).nextBytes(bytes);
    return Files.write(work.resolve("file"), bytes);
  }

  private static Comparison run(NvmeWorkload load, StackChoice stack, Strategy... strategies) throws Exception {
    return Comparison.run(load, List.of(stack), List.of(strategies), (s, t) -> (what, done, total) -> {});
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 511, 512, 4095, 4096, 4097, 65_536, 65_537, 1_000_003})
  void filesOfAnySizeComeBack(int size) throws Exception {
    NvmeWorkload load = new NvmeWorkload(file(size), "model", Map.of("iotlb", "adversarial"), 64 << 10, 4, 2);
    byte[] digest = Digests.of(load.file(), size);
    for (Strategy strategy : Strategy.values()) {
      assertThat(new StrategyRun(load, IOMMU, strategy, size).count(digest, (what, done, total) -> {}).verified()).as("%s", strategy).isTrue();
    }
  }

  @Test
  void aWrongDigestIsNoticed() throws Exception {
    NvmeWorkload load = new NvmeWorkload(file(5000), "model", Map.of(), 4096, 4, 1);
    assertThat(new StrategyRun(load, IOMMU, Strategy.TWO_STEP, 5000).count(new byte[32], (what, done, total) -> {}).verified()).isFalse();
  }

  @Test
  void aFileLargerThanTheMachinesMemoryComesBack() throws Exception {
    NvmeWorkload load = new NvmeWorkload(file(12_000_001), "model", Map.of("memory", "8M"), 128 << 10, 4, 1);
    assertThat(run(load, IOMMU, Strategy.TWO_STEP).isVerified()).isTrue();
  }

  @Test
  void strategiesDifferAsTheyShould() throws Exception {
    NvmeWorkload load = new NvmeWorkload(file(1 << 20), "model", Map.of(), 128 << 10, 1, 1);
    List<RunResult> runs = run(load, IOMMU, Strategy.values()).runs();
    RunResult twoStep = runs.get(0);
    RunResult scatterList = runs.get(1);
    RunResult perPage = runs.get(2);
    assertThat(runs).allSatisfy(run -> assertThat(run.ios()).isEqualTo(16));
    assertThat(runs).allSatisfy(run -> assertThat(run.invalidations()).as("queue depth 1, strict: one for each").isGreaterThanOrEqualTo(16));
    assertThat(twoStep.hardwareEntries()).as("one range for each request").isEqualTo(16);
    assertThat(twoStep.iovaAllocations()).isEqualTo(16);
    assertThat(scatterList.iovaAllocations()).isEqualTo(16);
    assertThat(perPage.hardwareEntries()).as("128 KiB off a page boundary are 33 pages").isEqualTo(16 * 33);
    assertThat(runs).allSatisfy(run -> assertThat(run.tableWrites()).as("33 pages, set and cleared").isGreaterThanOrEqualTo(16 * 33 * 2));
    assertThat(perPage.iovaAllocations()).isGreaterThanOrEqualTo(16 * 33);
    assertThat(twoStep.metadataBytesPerPage()).as("nothing per page").isLessThan(4);
    assertThat(scatterList.metadataBytesPerPage()).as("four words per page").isBetween(31.0, 40.0);
    assertThat(perPage.metadataBytesPerPage()).isGreaterThan(scatterList.metadataBytesPerPage());
    assertThat(runs).allSatisfy(run -> assertThat(run.bouncedBytes()).isZero());
  }

  @Test
  void withoutTranslationNothingIsAllocatedOrInvalidated() throws Exception {
    NvmeWorkload load = new NvmeWorkload(file(300_000), "model", Map.of(), 64 << 10, 8, 2);
    assertThat(run(load, Stacks.of(List.of("direct"), "", ""), Strategy.values()).runs())
        .allSatisfy(
            run -> {
              assertThat(run.verified()).isTrue();
              assertThat(run.iovaAllocations()).isZero();
              assertThat(run.invalidations()).isZero();
              assertThat(run.tableWrites()).isZero();
            });
  }

  @Test
  void aForcedBounceLayerCopiesEveryByteAndAnUntrustedOneOnlyEdges() throws Exception {
    NvmeWorkload load = new NvmeWorkload(file(1 << 20), "model", Map.of(), 128 << 10, 4, 1);
    assertThat(run(load, Stacks.of(List.of("swiotlb", "direct"), "", ""), Strategy.values()).runs())
        .allSatisfy(run -> assertThat(run.bouncedBytes()).as("in to write, out to read").isGreaterThanOrEqualTo(2 << 20));
    RunResult untrusted = run(load, Stacks.of(List.of("swiotlb", "iommu"), "", ""), Strategy.TWO_STEP).runs().getFirst();
    assertThat(untrusted.bouncedBytes()).as("requests begin and end inside a page").isPositive();
  }

  @Test
  void theSameSeedGivesTheSameCounts() throws Exception {
    NvmeWorkload load = new NvmeWorkload(file(500_000), "model", Map.of("seed", "42"), 64 << 10, 8, 1);
    assertThat(counts(run(load, IOMMU, Strategy.values()))).isEqualTo(counts(run(load, IOMMU, Strategy.values())));
  }

  private static List<List<Long>> counts(Comparison result) {
    return result.runs().stream()
        .map(run -> List.of(run.ios(), run.hardwareEntries(), run.iovaAllocations(), run.tableWrites(), run.invalidations()))
        .toList();
  }

  @Test
  void nothingStaysInTheTemporaryFolder() throws Exception {
    Path folder = Path.of(System.getProperty("java.io.tmpdir"));
    List<Path> before = stores(folder);
    run(new NvmeWorkload(file(10_000), "model", Map.of(), 4096, 2, 1), IOMMU, Strategy.TWO_STEP);
    assertThat(stores(folder)).isEqualTo(before);
  }

  private static List<Path> stores(Path folder) throws Exception {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.getFileName().toString().startsWith("twostep-namespace-" + ProcessHandle.current().pid() + "-")).sorted().toList();
    }
  }

  @Test
  void oneRunThatLostBytesSpoilsTheWhole() {
    RunResult good = new RunResult("s", Strategy.TWO_STEP, true, 1, 1, 1, 1, 1, 0, 0, 0, 0, "");
    RunResult bad = new RunResult("s", Strategy.PER_PAGE, false, 1, 1, 1, 1, 1, 0, 0, 0, 0, "");
    assertThat(new Comparison(1, "", Arrays.asList(good, good)).isVerified()).isTrue();
    assertThat(new Comparison(1, "", Arrays.asList(good, bad)).isVerified()).isFalse();
    assertThat(new Comparison(1, "", List.of()).isVerified()).isFalse();
  }
}
