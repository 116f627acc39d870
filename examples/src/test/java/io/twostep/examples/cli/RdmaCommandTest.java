package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code twostep rdma}: files of any size arrive and come back while their memory comes and goes, and what was wrong with the input is one line. */
class RdmaCommandTest {
  private static final String SEED = Long.toString(Long.getLong("twostep.seed", 20261121L));
  private static final String NUMBER = "[0-9.E]+";

  @TempDir Path work;

  private Path file(int size) throws IOException {
    byte[] bytes = new byte[size];
    new Random(5).nextBytes(bytes);
    return Files.write(work.resolve("file" + size), bytes);
  }

  private static String run(String mode) {
    return ("\\{\"mode\":\"%s\",\"stack\":\"iommu\",\"verified\":true,\"pages\":(?<%s>[0-9]+),\"faults\":N,\"invalidationEvents\":N,\"retries\":N,\"iovaAllocations\":N,"
            + "\"invalidations\":N,\"metadataBytesPerPage\":N,\"nanosPerFaultedPage\":N\\}")
        .formatted(mode, mode)
        .replace(":N", ":" + NUMBER);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 300_001})
  void filesOfAnySizeArriveAndComeBackInEveryModeAndJsonHasExactlyThePromisedFields(int size) throws IOException {
    Run run = Run.of("rdma", file(size).toString(), "--json", "--churn", "1500", "--seed", SEED);
    assertThat(run.status()).as("seed %s: %s", SEED, run.err()).isZero();
    assertThat(run.err()).isEmpty();
    int pages = 2 * ((size + 4095) / 4096);
    Matcher matched =
        Pattern.compile("\\{\"command\":\"rdma\",\"verified\":true,\"runs\":\\[" + run("pinned") + "," + run("odp") + "," + run("implicit") + "\\]\\}")
            .matcher(run.out().strip());
    assertThat(matched.matches()).as(run.out()).isTrue();
    for (String mode : new String[] {"pinned", "odp", "implicit"}) {
      assertThat(Long.parseLong(matched.group(mode))).isGreaterThanOrEqualTo(pages);
      assertThat(pages == 0 || Long.parseLong(matched.group(mode)) % pages == 0).isTrue();
    }
  }

  @Test
  void pagesThatNobodyDisturbsAreFaultedInOnceAndCostOneAllocationForARange() throws IOException {
    Run run = Run.of("rdma", file(40_960).toString(), "--mode", "odp", "--churn", "0", "--json");
    assertThat(run.out()).contains("\"pages\":20,").contains("\"invalidationEvents\":0,\"retries\":0,").contains("\"metadataBytesPerPage\":0.25");
    Matcher faults = Pattern.compile("\"faults\":([0-9]+)").matcher(run.out());
    assertThat(faults.find()).isTrue();
    assertThat(Integer.parseInt(faults.group(1))).as("ten pages in each of three ranges, one or more at once").isBetween(3, 60);
  }

  @Test
  void peopleAreToldWhatTheColumnsMean() throws IOException {
    Run run = Run.of("rdma", file(5000).toString(), "--mode", "pinned", "--churn", "200");
    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.out()).contains("meta B/page").contains("translation entries, 8 bytes each, are not counted").contains("arrived and came back, every time, in the only run.");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--mode pined | --mode is 'pined'; did you mean 'pinned'?",
        "--churn -1 | --churn is -1; it must be a whole number from 0 to 2147483647",
        "--churn much | --churn is 'much'; it must be a whole number from 0 to 2147483647",
        "--seed x | --seed is 'x'; it must be a whole number",
        "--jsn | Unknown option: '--jsn'; did you mean '--json'? (try: twostep rdma --help)",
      })
  void badOptionsEndWithOneClearLineAndStatusTwo(String options, String message) throws IOException {
    String[] words = options.split(" ", -1);
    String[] arguments = Arrays.copyOf(new String[] {"rdma", file(100).toString()}, 2 + words.length);
    System.arraycopy(words, 0, arguments, 2, words.length);
    refused(Run.of(arguments), message);
  }

  @Test
  void badFilesEndWithOneClearLineAndStatusTwo() {
    refused(Run.of("rdma", work.resolve("none").toString()), "none does not exist");
    refused(Run.of("rdma", work.toString()), "is not a file");
    refused(Run.of("rdma"), "Missing required parameter: 'FILE'");
  }

  private static void refused(Run run, String message) {
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(run.err()).startsWith("twostep: ").contains(message);
    assertThat(run.err().lines()).as("one line, no stack trace").hasSize(1);
    assertThat(run.out()).isEmpty();
  }
}
