package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code twostep p2p}: files of any size arrive on every tree, and what was wrong with the input is one line. */
class PeerCommandTest {
  private static final String NUMBER = "[0-9]+";

  @TempDir Path work;

  private Path file(int size) throws IOException {
    byte[] bytes = new byte[size];
    new Random(11).nextBytes(bytes);
    return Files.write(work.resolve("file" + size), bytes);
  }

  private static String run(String path, String mapType) {
    return "\\{\"path\":\"%s\",\"mapType\":\"%s\",\"verified\":true,\"hardwareEntries\":%s,\"iovaAllocations\":%s,\"invalidations\":%s,\"hostBytes\":%s,\"peerBytes\":%s\\}"
        .formatted(path, mapType, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 700, 5000, 12_288, 300_001})
  void filesOfAnySizeArriveOnEveryTreeAndJsonHasExactlyThePromisedFields(int size) throws IOException {
    Run run = Run.of("p2p", file(size).toString(), "--json");
    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.err()).isEmpty();
    assertThat(run.out().strip())
        .matches(
            Pattern.compile(
                "\\{\"command\":\"p2p\",\"verified\":true,\"runs\":\\["
                    + run("switch", "BUS_ADDRESS")
                    + ","
                    + run("host-bridge", "THROUGH_HOST_BRIDGE")
                    + ","
                    + run("acs", "THROUGH_HOST_BRIDGE")
                    + "\\]\\}"));
  }

  @ParameterizedTest
  @CsvSource({"switch, 3, 2, 8", "host-bridge, 4, 3, 6"})
  void threePagesCostWhatTheContractSays(String path, int allocations, int invalidations, int entries) throws IOException {
    // Once the peer alone: one entry for each controller. Once host, peer, host: the first controller's own memory is always an entry of its own, the second one's
    // request is three entries by bus address and one through the host bridge. One allocation is the memory of descriptor lists.
    Run run = Run.of("p2p", file(12_288).toString(), "--path", path, "--json");
    assertThat(run.out())
        .contains("\"hardwareEntries\":" + entries + ",\"iovaAllocations\":" + allocations + ",\"invalidations\":" + invalidations + ",\"hostBytes\":16384,\"peerBytes\":32768");
  }

  @Test
  void peopleAreShownTheTreeAndTheReason() throws IOException {
    Run run = Run.of("p2p", file(20_000).toString());
    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.out())
        .contains("because both are below 0000:01:00.0 and nothing on the way sends requests up")
        .contains("because the two meet at no switch, and host bridge 0000:00 (8086:2020) forwards")
        .contains("because 0000:02:01.0 sends peers' requests up by access control: request redirect, completion redirect")
        .contains(": 0000:04:00.0 -> 0000:02:01.0 -> 0000:01:00.0 -> 0000:02:00.0 -> 0000:03:00.0\n")
        .contains(": 0000:04:00.0 -> 0000:00:02.0 -> 0000:00 -> 0000:00:01.0 -> 0000:03:00.0\n")
        .contains(": 0000:04:00.0 -> 0000:02:01.0 -> 0000:01:00.0 -> 0000:00:01.0 -> 0000:00 -> 0000:00:01.0 -> 0000:01:00.0 -> 0000:02:00.0 -> 0000:03:00.0\n")
        .contains("            0000:03:00.0  NVMe controller, from: its memory is published  [5]")
        .contains("      0000:00:01.0  port, access control: request redirect, completion redirect  [4, 6]")
        .contains("arrived in all 3 runs, by the way that was chosen.");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--path swich | --path is 'swich'; did you mean 'switch'?",
        "--path far | --path is 'far'; there is: acs, all, host-bridge, switch",
        "--jsn | Unknown option: '--jsn'; did you mean '--json'? (try: twostep p2p --help)",
      })
  void badOptionsEndWithOneClearLineAndStatusTwo(String options, String message) throws IOException {
    String[] words = options.split(" ", -1);
    String[] arguments = Arrays.copyOf(new String[] {"p2p", file(100).toString()}, 2 + words.length);
    System.arraycopy(words, 0, arguments, 2, words.length);
    refused(Run.of(arguments), message);
  }

  @Test
  void badFilesEndWithOneClearLineAndStatusTwo() {
    refused(Run.of("p2p", work.resolve("none").toString()), "none does not exist");
    refused(Run.of("p2p", work.toString()), "is not a file");
    refused(Run.of("p2p"), "Missing required parameter: 'FILE'");
  }

  private static void refused(Run run, String message) {
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(run.err()).startsWith("twostep: ").contains(message);
    assertThat(run.err().lines()).as("one line, no stack trace").hasSize(1);
    assertThat(run.out()).isEmpty();
  }
}
