package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.examples.compare.Layout;
import io.twostep.examples.compare.LayoutCsv;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code twostep capture}: a layout that compare reads, or one line that says which privilege is missing and what was found without it. */
class CaptureCommandTest {
  @TempDir Path work;

  @Test
  void whatIsCapturedCanBeComparedOrThePrivilegeIsNamed() throws Exception {
    Path file = Files.write(work.resolve("file"), new byte[20_000]);
    Path csv = work.resolve("layout.csv");
    Run run = Run.of("capture", "--file", file.toString(), "-o", csv.toString());

    if (run.status() == CommandLineMain.DONE) {
      assertThat(run.out()).contains("20000 bytes in ", "written to " + csv);
      Layout layout = LayoutCsv.read(csv);
      assertThat(layout.bytes()).isEqualTo(20_000);
    } else {
      assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
      assertThat(run.err()).contains("hides physical addresses", "CAP_SYS_ADMIN", "found without it: ", "pages in memory, 0 swapped out, 0 never touched").hasLineCount(1);
      assertThat(csv).doesNotExist();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "-o x.csv | give one of --file FILE, --allocate SIZE and --pid PID",
        "--file a --pid 1 | give one of --file FILE, --allocate SIZE and --pid PID",
        "--file /none | /none does not exist",
        "--file /proc/self/maps | has 0 bytes; it must have from 1 to 1073741824",
        "--allocate much | --allocate is 'much'; it must be a size",
        "--pid me | --pid is 'me'; it must be a whole number",
        "--pid 2147483647 | there is no process 2147483647",
        "--pid 1 --address 10 | --address is '10'; it must be START-END in hexadecimal",
        "--pid 1 --address 20-10 | END must be from 1 to 1073741824 bytes behind START",
        "--file a --mapping heap | --mapping and --address choose memory of --pid PID",
        "--allocate 4K --json | --json tells of the file that -o OUT names; give -o too",
      })
  void badInputEndsWithOneClearLineAndStatusTwo(String options, String message) {
    String[] words = options.split(" ");
    String[] arguments = Arrays.copyOf(new String[] {"capture"}, 1 + words.length);
    System.arraycopy(words, 0, arguments, 1, words.length);
    Run run = Run.of(arguments);
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(run.err()).startsWith("twostep: ").contains(message).hasLineCount(1);
    assertThat(run.out()).isEmpty();
  }

  @Test
  void whatEverySizeIsAMultipleOfIsNotSaid() {
    assertThat(Run.of("capture", "--allocate", "0").err()).isEqualToIgnoringNewLines("twostep: --allocate is 0; it must be from 1 to 1073741824 bytes");
  }

  /** A file may have any name; in a layout only lines that begin with # are comments. */
  @Test
  void aNameWithLineEndsStaysInTheComment() throws Exception {
    Path file = Files.write(work.resolve("a\rb\nc"), new byte[20_000]);
    Path csv = work.resolve("layout.csv");
    Run run = Run.of("capture", "--file", file.toString(), "-o", csv.toString());
    assumeTrue(run.status() == CommandLineMain.DONE, "physical addresses are hidden");
    assertThat(LayoutCsv.read(csv).bytes()).isEqualTo(20_000);
  }

  @Test
  void theFileThatIsReadIsNotWrittenOver() throws Exception {
    Path file = Files.write(work.resolve("file"), new byte[20_000]);
    Path link = Files.createSymbolicLink(work.resolve("link"), file);
    Run run = Run.of("capture", "--file", file.toString(), "-o", link.toString());
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(run.err()).isEqualToIgnoringNewLines("twostep: " + link + " is the file that is read; name another to write");
    assertThat(file).hasSize(20_000);
  }

  /** Kernels say so when the page map is opened or when it is read, or show a process without mappings. */
  @Test
  void aProcessWithoutMemoryIsBadInputAndNotAFailure() throws Exception {
    Path thread = Path.of("/proc/2/comm");
    assumeTrue(Files.exists(thread) && Files.readString(thread).strip().equals("kthreadd"), "the kernel's threads are not seen in here");
    for (String[] arguments : new String[][] {{"capture", "--pid", "2"}, {"capture", "--pid", "2", "--address", "1000-2000"}}) {
      Run run = Run.of(arguments);
      assertThat(run.status()).as(run.err()).isEqualTo(CommandLineMain.BAD_INPUT);
      assertThat(run.err()).startsWith("twostep: process 2").hasLineCount(1);
    }
  }
}
