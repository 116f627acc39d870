package io.twostep.examples.compare;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.examples.compare.StackKind.Case;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whole comparisons, and what they count. */
class ComparingTest {
  private static final Effort BRIEF = new Effort(1, 1, 1);

  @TempDir Path work;

  private static Comparison compare(String spec, long ioSize) throws Exception {
    try (Comparing comparing = Comparing.ofRandomBytes(SyntheticLayout.of(spec, 7), (what, step, total) -> {})) {
      return comparing.run(ioSize, BRIEF);
    }
  }

  private static Counted counted(Comparison of, StackKind stack, MapStrategy strategy) {
    return Objects.requireNonNull(of.cost(stack, strategy)).counted();
  }

  @Test
  void scatteredPagesAreOneEntryForTwoStepsAndOneForEachPageByPage() throws Exception {
    Comparison result = compare("scattered:4096x1024", 128 << 10);

    assertThat(result.refusals()).isEmpty();
    assertThat(result.costs()).hasSize(StackKind.cases().size()).allSatisfy(cost -> assertThat(cost.counted().ios()).isEqualTo(32));
    Counted twoStep = counted(result, StackKind.IOMMU, MapStrategy.TWO_STEP);
    assertThat(twoStep.hardwareEntries()).isEqualTo(32);
    assertThat(twoStep.iovaAllocations()).isEqualTo(32);
    assertThat(twoStep.invalidations()).isEqualTo(32);
    assertThat(twoStep.bouncedBytes()).isZero();
    assertThat(twoStep.tableWrites()).isGreaterThanOrEqualTo(2048);
    assertThat(twoStep.tableBytes()).isPositive();
    assertThat(twoStep.metadataBytesPerPage()).isLessThan(4);
    assertThat(twoStep.simulatedNanos()).isPositive();
    Counted perPage = counted(result, StackKind.IOMMU, MapStrategy.PER_PAGE);
    assertThat(perPage.hardwareEntries()).isEqualTo(1024);
    assertThat(perPage.iovaAllocations()).isEqualTo(1024);
    assertThat(perPage.invalidations()).as("each page by itself").isEqualTo(1024);
    assertThat(perPage.metadataBytesPerPage()).isGreaterThan(100);
    assertThat(counted(result, StackKind.IOMMU, MapStrategy.SCATTER_LIST).metadataBytesPerPage()).as("four words").isBetween(31.0, 33.0);
    assertThat(counted(result, StackKind.IOMMU, MapStrategy.LAZY).invalidations()).isBetween(1L, 31L);
    Counted registered = counted(result, StackKind.IOMMU, MapStrategy.REGISTERED);
    assertThat(registered.iovaAllocations()).isEqualTo(1);
    assertThat(registered.invalidations()).isEqualTo(1);
    assertThat(registered.hardwareEntries()).isEqualTo(32);
    assertThat(result.costs().stream().filter(cost -> !cost.of().stack().translates()))
        .isNotEmpty()
        .allSatisfy(
            cost -> {
              assertThat(cost.counted().iovaAllocations()).isZero();
              assertThat(cost.counted().tableWrites()).isZero();
              assertThat(cost.counted().tableBytes()).isZero();
              assertThat(cost.counted().invalidations()).isZero();
              assertThat(cost.counted().simulatedNanos()).isZero();
            });
    assertThat(counted(result, StackKind.BOUNCED_DIRECT, MapStrategy.BOUNCE).bouncedBytes()).isEqualTo(4 << 20);
    assertThat(counted(result, StackKind.BOUNCED_IOMMU, MapStrategy.BOUNCE).bouncedBytes()).isEqualTo(4 << 20);
    assertThat(counted(result, StackKind.DIRECT, MapStrategy.TWO_STEP).hardwareEntries()).isEqualTo(1024);
  }

  @Test
  void aHugePageIsOneTableWriteAndNotFiveHundred() throws Exception {
    Comparison result = compare("scattered:2Mx4", 2 << 20);

    assertThat(counted(result, StackKind.IOMMU, MapStrategy.TWO_STEP).tableWrites()).isLessThan(100);
    assertThat(counted(result, StackKind.IOMMU, MapStrategy.PER_PAGE).tableWrites()).isGreaterThanOrEqualTo(4 * 512 * 2);
  }

  @Test
  void bothTableFormatsAreWrittenAndReadByTheDevice() throws Exception {
    // Sixteen entries of 4 KiB are one leaf of AMD's format where memory lies in one piece, and every one of them is written.
    Comparison result = compare("scattered:64Kx16", 64 << 10);

    assertThat(counted(result, StackKind.AMD_V1, MapStrategy.TWO_STEP).simulatedNanos())
        .as("a leaf of 64 KiB is read once")
        .isLessThan(counted(result, StackKind.IOMMU, MapStrategy.TWO_STEP).simulatedNanos());
  }

  @Test
  void aDeviceThatDoesNotSeeCachesHasLinesCleanedAndOnlySharedOnesCopied() throws Exception {
    Comparison whole = compare("scattered:4096x64", 16 << 10);
    Comparison shared = compare("unaligned:5000x16", 16 << 10);

    for (StackKind stack : new StackKind[] {StackKind.NON_COHERENT_DIRECT, StackKind.NON_COHERENT_IOMMU}) {
      assertThat(counted(whole, stack, MapStrategy.TWO_STEP).cleanedLines()).as("64 of every page").isEqualTo(64 * 64);
      assertThat(counted(whole, stack, MapStrategy.TWO_STEP).bouncedBytes()).isZero();
      assertThat(counted(shared, stack, MapStrategy.TWO_STEP).bouncedBytes()).isPositive();
    }
    assertThat(counted(whole, StackKind.IOMMU, MapStrategy.TWO_STEP).cleanedLines()).isZero();
  }

  @Test
  void anUntrustedDeviceHasOnlyEdgesCopied() throws Exception {
    Comparison result = compare("unaligned:64Kx16", 64 << 10);

    long bounced = counted(result, StackKind.UNTRUSTED, MapStrategy.TWO_STEP).bouncedBytes();
    assertThat(bounced).isPositive().isLessThan(16 * 8192);
    assertThat(counted(result, StackKind.IOMMU, MapStrategy.TWO_STEP).bouncedBytes()).isZero();
  }

  @ParameterizedTest
  @CsvSource({
    "contiguous:1, 512", "unaligned:1x3, 4096", "unaligned:5000x9+contiguous:1M+scattered:4096x5, 65536", "mixed:6M, 1048576", "contiguous:100000x3, 512",
  })
  void buffersOfAnyShapeAreReadAsTheyAre(String spec, long ioSize) throws Exception {
    assertThat(compare(spec, ioSize).costs()).hasSize(StackKind.cases().size());
  }

  @Test
  void whatDoesNotFitTheBounceSlotsIsRefusedAndSaidSo() throws Exception {
    // Each of these ranges needs a page of its own to keep its neighbours from the device.
    Comparison result = compare("unaligned:100x20000", 64 << 10);

    assertThat(result.cost(StackKind.UNTRUSTED, MapStrategy.REGISTERED)).isNull();
    assertThat(result.refusals())
        .extracting(Refusal::of)
        .contains(new Case(StackKind.UNTRUSTED, MapStrategy.REGISTERED))
        .allSatisfy(of -> assertThat(of.strategy()).isEqualTo(MapStrategy.REGISTERED));
    assertThat(Advice.of(result)).anySatisfy(advice -> assertThat(advice).startsWith("swiotlb,iommu (untrusted) / registered cannot map these buffers: "));
  }

  @Test
  void timesAreTakenAndAWarmPathAllocatesNothing() throws Exception {
    try (Comparing comparing = Comparing.ofRandomBytes(SyntheticLayout.of("scattered:4096x64", 7), (what, step, total) -> {})) {
      Comparison result = comparing.run(65_536, new Effort(3, 1_000_000, 20_000_000));

      assertThat(result.costs())
          .allSatisfy(
              cost -> {
                assertThat(cost.timed().mapNanosPerPage().median()).isPositive();
                assertThat(cost.timed().mapNanosPerPage().lowest()).isLessThanOrEqualTo(cost.timed().mapNanosPerPage().median());
                assertThat(cost.timed().registerNanosPerPage().median() > 0).isEqualTo(cost.of().strategy() == MapStrategy.REGISTERED);
              });
      assertThat(result.cost(StackKind.IOMMU, MapStrategy.TWO_STEP)).isNotNull();
      assertThat(Objects.requireNonNull(result.cost(StackKind.IOMMU, MapStrategy.TWO_STEP)).timed().heapBytesPerOp()).isLessThan(8);
    }
  }

  @Test
  void aFilesOwnBytesAreWhatTheDeviceReads() throws Exception {
    byte[] bytes = "a file's own bytes, and no others".repeat(1000).getBytes(java.nio.charset.StandardCharsets.UTF_8);
    Path file = Files.write(work.resolve("file"), bytes);
    Layout layout = SyntheticLayout.ofPages("file", bytes.length, 3);
    try (var machine = io.twostep.machine.model.ModelMachine.create(io.twostep.machine.model.ModelMachineConfig.defaults());
        Placement placed = Placement.ofFile(layout, machine.memory(), file)) {
      assertThat(placed.holds(0, bytes)).isTrue();
      assertThat(counted(compareFile(layout, file), StackKind.IOMMU, MapStrategy.TWO_STEP).ios()).isEqualTo(9);
    }
  }

  private static Comparison compareFile(Layout layout, Path file) throws Exception {
    try (Comparing comparing = Comparing.ofFile(layout, file, (what, step, total) -> {})) {
      return comparing.run(4096, BRIEF);
    }
  }
}
