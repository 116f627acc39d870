package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code twostep compare}: what it prints, and what it refuses. */
class CompareCommandTest {
  private static final String WHOLE = "[0-9]+";
  private static final String NUMBER = "[0-9]+(\\.[0-9]+)?(E-?[0-9]+)?";

  @TempDir Path work;

  @Test
  void jsonHasExactlyThePromisedFields() {
    Run run = Run.of("compare", "--synthetic", "scattered:4096x64", "--io-size", "64K", "--rounds", "1", "--json");

    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.err()).isEmpty();
    String one =
        ("\\{\"backend\":\"[a-z1, ()-]+\",\"strategy\":\"[a-z-]+\",\"hardwareEntries\":#w,\"iovaAllocations\":#w,\"tableWrites\":#w,\"tableBytes\":#w,\"invalidations\":#w,"
                + "\"bouncedBytes\":#w,\"metadataBytesPerPage\":#n,\"mapNanosPerPage\":#n,\"unmapNanosPerPage\":#n,\"heapBytesPerOp\":#n,\"simulatedNanosPerIo\":#n\\}")
            .replace("#w", WHOLE)
            .replace("#n", NUMBER);
    assertThat(run.out().strip())
        .matches(
            Pattern.compile(
                "\\{\"command\":\"compare\",\"source\":\"scattered:4096x64, seed 1\",\"ranges\":64,\"bytes\":262144,\"runs\":\\[" + one + "(," + one + ")*\\],\"advice\":\"[^\"]+\"\\}"));
    for (String strategy : new String[] {"per-page", "scatter-list", "two-step", "lazy", "bounce", "registered"}) {
      assertThat(run.out()).contains("\"strategy\":\"" + strategy + "\"");
    }
    for (String backend : new String[] {"direct", "iommu", "iommu (amd-v1)", "swiotlb,iommu (untrusted)", "swiotlb,direct (non-coherent)", "swiotlb,iommu (non-coherent)"}) {
      assertThat(run.out()).contains("\"backend\":\"" + backend + "\"");
    }
  }

  @Test
  void peopleAreToldWhatToChooseAndWhy() throws Exception {
    Path csv = Files.writeString(work.resolve("buffers.csv"), "phys,length\n0x100000,8192\n0x900000,12288\n");
    Run run = Run.of("compare", "--layout", csv.toString(), "--rounds", "1");

    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.out())
        .contains(csv + ": 20,480 bytes in 2 ranges, requests of 20,480 bytes", "Without an IOMMU, ")
        .containsPattern("Behind the IOMMU, [a-z-]+ is (the cheapest|as cheap as any) way to map requests")
        .containsPattern("registered|Registering");
  }

  @Test
  void aFileIsComparedByItsOwnBytes() throws Exception {
    Path file = Files.write(work.resolve("file"), new byte[10_001]);
    Run run = Run.of("compare", "--file", file.toString(), "--rounds", "1");

    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.out()).contains(file + ": 10,001 bytes in 3 ranges");
  }

  @Test
  void theReportIsWrittenBesideWhatIsPrinted() {
    Path html = work.resolve("report.html");
    Run run = Run.of("compare", "--synthetic", "contiguous:8K", "--io-size", "4K", "--rounds", "1", "--html", html.toString(), "--json");

    assertThat(run.status()).as(run.err()).isZero();
    assertThat(run.out()).startsWith("{\"command\":\"compare\"");
    assertThat(html).content().startsWith("<!DOCTYPE html>").contains("contiguous:8K, seed 1", "What wins by request size", "4,096 B", "8,192 B").endsWith("</html>\n");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--synthetic circular:4K | --synthetic circular:4K: in 'circular:4K' there is no kind 'circular'",
        "--io-size 100 | --io-size is 100; it must be from 512 to 16777216 bytes and a multiple of 512",
        "--seed x | --seed is 'x'; it must be a whole number",
        "--rounds 0 | --rounds is 0; it must be a whole number from 1 to 1000",
        "--layout /none.csv | /none.csv does not exist",
        "--file / | / is not a file",
        "--file /dev/null | /dev/null is not a file",
        "--layout a.csv --synthetic mixed:4M | --file, --layout and --synthetic exclude each other; give one",
        "--synthetic mixed:4M --synthetic contiguous:4K | option '--synthetic' (SPEC) should be specified only once",
        "--file a --layout b --file c | option '--file' (FILE) should be specified only once",
        "--html /none/report.html | the folder of /none/report.html does not exist",
        "--html / | / is a folder; name a file in it",
        "--laoyut x | did you mean '--layout'?",
      })
  void badInputEndsWithOneClearLineAndStatusTwo(String options, String message) {
    String[] words = options.split(" ");
    String[] arguments = Arrays.copyOf(new String[] {"compare"}, 1 + words.length);
    System.arraycopy(words, 0, arguments, 1, words.length);
    refused(Run.of(arguments), message);
  }

  @Test
  void whatIsReadIsNotWrittenOver() throws Exception {
    Path file = Files.write(work.resolve("file"), new byte[10_001]);
    refused(Run.of("compare", "--file", file.toString(), "--html", file.toString()), file + " is the file that is read; name another to write");
    assertThat(file).hasSize(10_001);
    String text = "phys,length\n0x100000,8192\n";
    Path csv = Files.writeString(work.resolve("layout.csv"), text);
    refused(Run.of("compare", "--layout", csv.toString(), "--html", csv.toString()), csv + " is the file that is read; name another to write");
    assertThat(csv).hasContent(text);
  }

  @Test
  void aLayoutThatIsWrongIsRefusedByLine() throws Exception {
    Path csv = Files.writeString(work.resolve("wrong.csv"), "phys,length\n0x100000,8192\n0x900000\n");
    refused(Run.of("compare", "--layout", csv.toString()), "wrong.csv line 3: '0x900000' has 1 fields; it must have two: phys,length");
  }

  @Test
  void anEmptyFileIsRefused() throws Exception {
    Path file = Files.createFile(work.resolve("empty"));
    refused(Run.of("compare", "--file", file.toString()), "empty has 0 bytes; it must have from 1 to 1073741824");
  }

  private static void refused(Run run, String message) {
    assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
    assertThat(run.err()).startsWith("twostep: ").contains(message);
    assertThat(run.err().lines()).as("one line, no stack trace").hasSize(1);
    assertThat(run.out()).isEmpty();
  }
}
