package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the commands print and exit with. */
class CommandLineTest {
  private static final long SEED = Long.getLong("twostep.seed", 20261121L);
  private static final String NUMBER = "\\d+(\\.\\d+)?(E-?\\d+)?";

  @TempDir Path work;

  private Path file(int size) throws IOException {
    byte[] bytes = new byte[size];
    new Random(SEED).nextBytes(bytes);
    return Files.write(work.resolve("file" + size), bytes);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 513, 300_001})
  void filesOfAnySizeComeBackThroughEveryStackByEveryStrategy(int size) throws Exception {
    Run run = Run.of("nvme", file(size).toString(), "--json", "--io-size", "64K", "--queue-depth", "4");
    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.out()).contains("\"bytes\":" + size + ",", "\"verified\":true").doesNotContain("\"verified\":false");
    for (String stack : new String[] {"direct", "iommu", "iommu (lazy)", "direct (non-coherent)", "iommu (non-coherent)", "p2p,direct", "p2p,iommu", "swiotlb,direct (forced)", "swiotlb,iommu (untrusted)"}) {
      for (String strategy : new String[] {"two-step", "scatter-list", "per-page"}) {
        assertThat(run.out()).contains("{\"stack\":\"" + stack + "\",\"strategy\":\"" + strategy + "\",\"verified\":true");
      }
    }
    assertThat(run.err()).isEmpty();
  }

  @Test
  void jsonHasExactlyThePromisedFields() throws Exception {
    Run run = Run.of("nvme", file(9000).toString(), "--json", "--backends", "iommu", "--strategy", "two-step");
    String one =
        "\\{\"stack\":\"iommu\",\"strategy\":\"two-step\",\"verified\":true,\"ios\":2,\"hardwareEntries\":2,\"iovaAllocations\":" + NUMBER + ",\"tableWrites\":"
            + NUMBER + ",\"invalidations\":" + NUMBER + ",\"bouncedBytes\":0,\"metadataBytesPerPage\":" + NUMBER + ",\"nanosPerIo\":" + NUMBER
            + ",\"heapBytesPerIo\":" + NUMBER + "\\}";
    assertThat(run.out().strip())
        .matches(
            Pattern.compile(
                "\\{\"command\":\"nvme\",\"file\":\"[^\"]+\",\"bytes\":9000,\"sha256\":\"[0-9a-f]{64}\",\"verified\":true,\"runs\":\\[" + one + "\\]\\}"));
  }

  @Test
  void theTableSaysThatEveryByteCameBack() throws Exception {
    Run run = Run.of("nvme", file(5000).toString(), "--backends", "direct", "--strategy", "per-page", "--seed", "7", "--queues", "2");
    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.out()).contains("Every byte came back in the only run.").contains("direct").doesNotContain("iommu");
  }

  @Test
  void theCheckerFindsNothingAndSaysSoToPeopleOnly() throws Exception {
    Run people = Run.of("nvme", file(100_000).toString(), "--backends", "debug,swiotlb,iommu");
    assertThat(people.status()).as(people.err()).isZero();
    assertThat(people.out()).containsPattern("two-step: checker: [0-9,]+ mappings followed, 0 reports\\R").doesNotContain(" 1 reports");
    Run programs = Run.of("nvme", file(5000).toString(), "--backends", "debug,direct", "--json");
    assertThat(programs.out()).contains("debug,direct").doesNotContain("checker");
  }

  @Test
  void aGranuleLargerThanAFrameWorks() throws Exception {
    Run run = Run.of("nvme", file(300_001).toString(), "--backends", "iommu", "--granule", "64K", "--flush", "lazy");
    assertThat(run.status()).as(run.err()).isZero();
  }

  @Test
  void lazyFlushingShowsFewerInvalidations() throws Exception {
    Path file = file(1_000_000);
    long strict = invalidations(file, "strict");
    long lazy = invalidations(file, "lazy");
    assertThat(lazy).isLessThan(strict / 2);
  }

  private static long invalidations(Path file, String flush) {
    Run run = Run.of("nvme", file.toString(), "--backends", "iommu", "--strategy", "two-step", "--io-size", "16K", "--seed", "3", "--flush", flush, "--json");
    assertThat(run.status()).as(run.err()).isZero();
    Matcher found = Pattern.compile("\"invalidations\":([0-9]+)").matcher(run.out());
    assertThat(found.find()).isTrue();
    return Long.parseLong(found.group(1));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--backends iomu | unknown backend 'iomu'; did you mean 'iommu'?",
        "--backends direct,iommu | the stack direct,iommu has more than one terminal: direct, iommu; leave one",
        "--backends , | unknown backend ''",
        "--backends magic | unknown backend 'magic'; there is: ",
        "--backends swiotlb | the stack swiotlb has no terminal at its end; there is: direct, iommu",
        "--strategy one-step | --strategy is 'one-step'; there is: all, per-page, scatter-list, two-step",
        "--granule 3K | --granule is 3K; it must be a power of two",
        "--granule big | --granule is 'big'; it must be a size such as 4096, 128K or 1M",
        "--backends direct --flush lazy | --flush and --granule are for backend iommu, which is not in the stack direct; leave them out",
        "--backends swiotlb,direct --granule 64K | --flush and --granule are for backend iommu, which is not in the stack swiotlb,direct; leave them out",
        "--flush now | --flush is 'now'; there is: lazy, strict",
        "--seed x | --seed is 'x'; it must be a whole number",
        "--io-size 100 | --io-size is 100; it must be from 512 to 16777216 bytes and a multiple of 512",
        "--queue-depth 0 | --queue-depth is 0; it must be a whole number from 1 to 1023",
        "--queues many | --queues is 'many'; it must be a whole number from 1 to 64",
        "--machine modal | unknown machine 'modal'; did you mean 'model'?",
        "--jsn | Unknown option: '--jsn'; did you mean '--json'? (try: twostep nvme --help)",
      })
  void badOptionsEndWithOneClearLineAndStatusTwo(String options, String message) throws Exception {
    String[] words = options.split(" ");
    String[] arguments = Arrays.copyOf(new String[] {"nvme", file(100).toString()}, 2 + words.length);
    System.arraycopy(words, 0, arguments, 2, words.length);
    refused(Run.of(arguments), message);
  }

  /** What a script's unset variable leaves: "$DEVICE". */
  @ParameterizedTest
  @CsvSource({
    "nvme, --device, ADDRESS", "nvme, --socket, PATH", "nvme, --seed, N", "nvme, --granule, SIZE", "nvme, --flush, POLICY", "capture, --mapping, NAME", "plugins, --folder, FOLDER", "guest-test, --scenario, TEXT"
  })
  void anOptionWithAnEmptyValueIsRefusedAndNotTakenForOneThatWasLeftOut(String command, String option, String label) throws Exception {
    String[] arguments = command.equals("nvme") ? new String[] {command, option, "", file(100).toString()} : new String[] {command, option, ""};
    refused(Run.of(arguments), "option '" + option + "' is empty; give " + label + ", or leave it out (try: twostep " + command + " --help)");
    assertThat(Run.of(command, option, "", "--help").out()).startsWith("Usage: ");
  }

  /** What a script's unset variable leaves of --json="$JSON": neither yes nor no. */
  @ParameterizedTest
  @ValueSource(strings = {"--json=", "--json= "})
  void aSwitchWithAnEmptyValueIsRefusedAndNotTakenForOff(String empty) {
    refused(Run.of("plugins", empty), "option '--json' is empty; give true or false, or leave '=' out (try: twostep plugins --help)");
    refused(Run.of("compare", "--rounds", "1", "--json", empty), "option '--json'");
    assertThat(Run.of("plugins", empty, "--help").out()).startsWith("Usage: ");
  }

  @Test
  void aSwitchIsWhatItsValueSays() {
    assertThat(Run.of("plugins", "--json=true").out()).startsWith("{");
    assertThat(Run.of("plugins", "--json=false").out()).doesNotStartWith("{").contains("terminal direct");
    refused(Run.of("plugins", "--json=yes"), "'yes' is not a boolean");
  }

  @Test
  void aParameterThatMayBeLeftOutIsRefusedIfItIsEmpty() {
    refused(Run.of("example", ""), "parameter NAME is empty; give one, or leave it out (try: twostep example --help)");
    refused(Run.of("example", "", "x"), "parameter NAME is empty");
    refused(Run.of("example", "rpc-over-rdma", ""), "parameter ARGUMENT is empty");
  }

  @Test
  void badFilesEndWithOneClearLineAndStatusTwo() {
    refused(Run.of("nvme", work.resolve("none").toString()), "none does not exist");
    refused(Run.of("nvme", work.toString()), "is not a file");
    refused(Run.of("nvme", ""), "an empty name is no path");
    refused(Run.of("nvme"), "Missing required parameter: 'FILE'");
    refused(Run.of("nmve", "x"), "unknown command 'nmve'; did you mean 'nvme'? (try: twostep --help)");
  }

  @Test
  void aNameThatBeginsWithAnAtSignIsAFileAndNotAListOfArguments() throws IOException {
    Path named = Files.writeString(work.resolve("arguments"), "--version");
    refused(Run.of("nvme", "@" + named), "@" + named + " does not exist");
  }

  @Test
  void aFileThatCannotBeReadEndsWithOneClearLineAndStatusTwo() throws IOException {
    Path locked = Files.setPosixFilePermissions(file(100), Set.of());
    if (!Files.isReadable(locked)) {
      refused(Run.of("nvme", locked.toString()), "cannot be read; check its permissions");
    } else {
      // No permission stops root: a file of the kernel does that fails when it is read.
      Path failing = Path.of("/sys/class/net/lo/speed");
      assumeTrue(Files.exists(failing));
      refused(Run.of("nvme", failing.toString()), "working on " + failing + " failed: ");
    }
  }

  /** What is taken for bad input may be a mistake of ours all the same. */
  @ParameterizedTest
  @CsvSource({"--backends, iomu", "--strategy, one-step"})
  void theTraceOfWhatWasRefusedFollowsTheLineIfItIsAskedFor(String option, String value) throws Exception {
    Path file = file(100);
    System.setProperty("twostep.trace", "true");
    try {
      Run run = Run.of("nvme", file.toString(), option, value);
      assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
      assertThat(run.err()).startsWith("twostep: ").contains("\tat io.twostep.");
    } finally {
      System.clearProperty("twostep.trace");
    }
  }

  private static void refused(Run run, String message) {
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(run.err()).startsWith("twostep: ").contains(message);
    assertThat(run.err().lines()).as("one line, no stack trace").hasSize(1);
    assertThat(run.out()).isEmpty();
  }

  @Test
  void pluginsAreListedForPeopleAndForPrograms() {
    Run people = Run.of("plugins");
    assertThat(people.status()).as(people.err()).isZero();
    assertThat(people.out()).contains("terminal direct", "terminal iommu", "layer swiotlb", "machine model", "device-model nvme", "device-model probe", "driver nvme");
    Run programs = Run.of("plugins", "--json");
    String setting = "\\{\"name\":\"[a-z0-9-]+\",\"default\":\"[^\"]*\",\"meaning\":\"[^\"]+\"\\}";
    String plugin =
        "\\{\"name\":\"[a-z0-9-]+\",\"kind\":\"(terminal|layer|machine|device-model|driver)\",\"version\":\"[^\"]+\",\"module\":\"[^\"]+\",\"settings\":\\[("
            + setting + "(," + setting + ")*)?\\]\\}";
    assertThat(programs.out().strip()).matches("\\{\"plugins\":\\[" + plugin + "(," + plugin + ")*\\]\\}");
  }

  @Test
  void aFolderWithoutPluginsIsBadInput() {
    Run run = Run.of("plugins", "--folder", work.toString());
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(run.err()).contains("holds no jar");
  }

  @Test
  void aloneItSaysWhatThereIs() {
    Run run = Run.of();
    assertThat(run.status()).isZero();
    assertThat(run.out()).contains("Usage: twostep", "nvme", "plugins");
  }

  @Test
  void everyCommandTellsItsVersion() {
    for (String command : new String[] {"nvme", "compare", "capture", "plugins", "devices"}) {
      assertThat(Run.of(command, "--version").out()).as(command).startsWith("twostep ");
    }
  }

  @Test
  void aFileThatCannotBeWrittenWholeIsNamedAndNotLeftBehind() throws IOException {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full));
    assertThatThrownBy(() -> WholeFile.write(full, "text")).isInstanceOf(BadInput.class).hasMessageStartingWith("/dev/full cannot be written (");
    Path within = file(100).resolve("below-a-file");
    assertThatThrownBy(() -> WholeFile.write(within, "text")).isInstanceOf(BadInput.class).hasMessageContaining("choose another place");
    assertThat(within).doesNotExist();
  }
}
