package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code twostep migrate}: guests arrive or stay, whole, and what was wrong with the input is one line. */
class MigrateCommandTest {
  private static final String NUMBER = "([0-9]+(?:\\.[0-9]+)?(?:E-?[0-9]+)?)";

  /** The promised fields, in order, and nothing else. */
  private static Matcher json(boolean aborted, String out) {
    Matcher matcher =
        Pattern.compile(
                "\\{\"command\":\"migrate\",\"verified\":true,\"rounds\":#,\"precopyBytes\":#,\"stopCopyBytes\":#,\"downtimeMillis\":#,\"dirtyPagesSeen\":#,\"listBytesPerPage\":#,\"iovaAllocations\":#,\"invalidations\":#,\"aborted\":@\\}"
                    .replace("#", NUMBER)
                    .replace("@", String.valueOf(aborted)))
            .matcher(out.strip());
    assertThat(matcher.matches()).as(out).isTrue();
    return matcher;
  }

  private static Run migrate(String... options) {
    List<String> arguments = new ArrayList<>(List.of("migrate", "--memory", "4M", "--dirty-rate", "10M"));
    arguments.addAll(List.of(options));
    Run run = Run.of(arguments.toArray(new String[0]));
    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.err()).isEmpty();
    return run;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void guestsArriveAndJsonHasExactlyThePromisedFields(int devices) {
    Matcher matcher = json(false, migrate("--json", "--devices", String.valueOf(devices)).out());
    assertThat(Double.parseDouble(matcher.group(2))).as("bytes sent while it ran").isGreaterThan(4 << 20);
    assertThat(Double.parseDouble(matcher.group(3))).as("bytes sent while it stood still").isPositive();
    assertThat(Double.parseDouble(matcher.group(4))).as("milliseconds it stood still").isPositive();
    assertThat(Double.parseDouble(matcher.group(6))).as("list bytes a page").isPositive().isLessThanOrEqualTo(2);
    assertThat(Double.parseDouble(matcher.group(7))).as("ranges of I/O addresses").isGreaterThanOrEqualTo(2 * devices);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 50, 100})
  void guestsThatAreCancelledGoOnWhereTheyWere(int percent) {
    Matcher matcher = json(true, migrate("--json", "--abort-at", String.valueOf(percent)).out());
    assertThat(Double.parseDouble(matcher.group(2))).isGreaterThanOrEqualTo((4 << 20) / 100.0 * percent);
    assertThat(Double.parseDouble(matcher.group(4)) > 0).as("stood still").isEqualTo(percent == 100);
  }

  @Test
  void peopleAreToldWhatBecameOfTheGuest() {
    assertThat(migrate().out()).contains("noted by the iommu").contains("The guest goes on at the destination: every page and every command is right.");
    assertThat(migrate("--abort-at", "30").out()).contains("The migration was cancelled; the guest goes on where it was, and lost nothing.");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--memory big | --memory is 'big'; it must be a size such as 4096, 128K or 1M",
        "--memory 1000 | --memory is 1000; it must be from",
        "--dirty-rate -5 | --dirty-rate is",
        "--downtime 50 | --downtime is '50'; it must be a time up to an hour, such as 50ms, 1s or 500us",
        "--downtime 2000000s | --downtime is '2000000s'; it must be a time",
        "--devices 0 | --devices is 0; it must be a whole number from 1 to 8",
        "--abort-at 101 | --abort-at is 101; it must be a whole number from 0 to 100",
        "--abort-at | Missing required parameter for option '--abort-at' (PERCENT)",
        "--jsn | Unknown option: '--jsn'; did you mean '--json'? (try: twostep migrate --help)",
        "file | Unmatched argument at index 1: 'file'",
      })
  void badInputEndsWithOneClearLineAndStatusTwo(String options, String message) {
    String[] words = ("migrate " + options).split(" ", -1);
    Run run = Run.of(words);
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(run.err()).startsWith("twostep: ").contains(message);
    assertThat(run.err().lines()).as("one line, no stack trace").hasSize(1);
    assertThat(run.out()).isEmpty();
  }
}
