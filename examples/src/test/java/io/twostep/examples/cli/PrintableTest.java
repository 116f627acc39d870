package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.twostep.examples.compare.LayoutCsv;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrintableTest {
  /** An escape sequence, a C1 sequence, ends of lines, DEL and a change of direction, as a name of a file may have them. */
  private static final String NAME = "a\u001b]0;title\u0007\u009b31m\r\n\t\u007f\u2028\u202egnp.é\\";

  private static final String SHOWN = "a\\u001b]0;title\\u0007\\u009b31m\\r\\n\\t\\u007f\\u2028\\u202egnp.é\\";
  private static final String IN_JSON = SHOWN + "\\";

  @TempDir Path work;

  private static void isHarmless(Run run) {
    assertThat((run.out() + run.err()).chars().filter(c -> c != '\n' && Printable.isHidden((char) c))).isEmpty();
  }

  private Path file() throws IOException {
    return Files.write(work.resolve(NAME), new byte[20_000]);
  }

  @Test
  void ordersToTheTerminalAreEscapedAndAllElseIsAsItIs() {
    assertThat(Printable.of(NAME)).isEqualTo(SHOWN);
    assertThat(Printable.of("ordinary, \ud83d\ude80 \u05d0\u200d")).isEqualTo("ordinary, \ud83d\ude80 \u05d0\u200d");
    assertThat(new TextTable("").row(NAME, "x").lines()).containsExactly(SHOWN + "  x");
    assertThat(new JsonText().value(NAME)).hasToString('"' + IN_JSON + '"');
  }

  @Test
  void reportsForPeopleShowANameEscapedAndThoseForProgramsHaveItWhole() throws Exception {
    String file = file().toString();
    String[][] commands = {
      {"nvme", "--backends", "direct", "--strategy", "two-step", file}, {"p2p", "--path", "acs", file}, {"rdma", "--mode", "odp", "--churn", "0", file}, {"compare", "--rounds", "1", "--file", file}
    };
    for (String[] command : commands) {
      Run run = Run.of(command);
      assertThat(run.status()).as(run.err()).isZero();
      assertThat(run.out()).contains(SHOWN);
      isHarmless(run);
    }
    Run json = Run.of("compare", "--rounds", "1", "--json", "--file", file);
    assertThat(json.out()).contains(IN_JSON + "\"");
    isHarmless(json);
  }

  @Test
  void refusalsShowANameEscapedAndInOneLine() throws Exception {
    String missing = work.resolve(NAME).toString();
    for (String[] command : new String[][] {
      {missing}, {"compare", "--layout", missing}, {"compare", missing}, {"compare", "--synthetic", missing}, {"compare", "--html", missing + "/x"}, {"example", missing},
      {"example", "rpc-over-rdma", missing}, {"plugins", "--folder", missing}, {"devices", "--bind", missing}, {"devices", "--root", missing}, {"serve", "nvme", "--socket", missing + "/x"},
      {"capture", "--pid", missing}
    }) {
      Run run = Run.of(command);
      assertThat(run.err().lines().count()).as(run.err()).isLessThanOrEqualTo(1);
      isHarmless(run);
    }
    assertThat(Run.of("compare", "--layout", missing).err()).isEqualToIgnoringNewLines("twostep: " + work + "/" + SHOWN + " does not exist");
    Files.writeString(work.resolve(NAME), "phys,length\n\u001b[2J,1\n");
    Run wrong = Run.of("compare", "--layout", missing);
    assertThat(wrong.err()).contains("line 2: phys is '\\u001b[2J'");
    isHarmless(wrong);
  }

  @Test
  void whatIsTracedIsHarmlessToo() {
    System.setProperty("twostep.trace", "true");
    try {
      Run run = Run.of("compare", "--layout", work.resolve(NAME).toString());
      assertThat(run.err()).contains("BadInput: ", "\\u001b]0;title", "\n\tat ");
      isHarmless(new Run(run.status(), run.out(), run.err().replaceAll("(?m)^\t", "")));
    } finally {
      System.clearProperty("twostep.trace");
    }
  }

  @Test
  void aLayoutNamesItsFileEscaped() throws Exception {
    Path csv = work.resolve("layout.csv");
    Run run = Run.of("capture", "--file", file().toString(), "-o", csv.toString());
    isHarmless(run);
    assumeTrue(run.status() == CommandLineMain.DONE, "physical addresses are hidden");
    assertThat(csv).content().contains(SHOWN);
    assertThat(LayoutCsv.read(csv).bytes()).isEqualTo(20_000);
  }

  /** Java puts the same character for whatever is not UTF-8: what it would open or make is not what was named. */
  @Test
  void aNameThatLostItsBytesIsRefusedUnlessThereIsSuchAFile() throws Exception {
    String lost = work.resolve("caf\ufffd").toString();
    for (String[] command : new String[][] {{"compare", "--file", lost}, {"compare", "--html=" + lost}, {"nvme", lost}, {"serve", "nvme", "--socket", lost}, {"example", "rpc-over-rdma", lost}}) {
      Run run = Run.of(command);
      assertThat(run.status()).isEqualTo(CommandLineMain.BAD_INPUT);
      assertThat(run.err()).contains(lost + "'; Java cannot open names that are not UTF-8: rename it, or give a link to it (ln -s)").hasLineCount(1);
      assertThat(run.out()).isEmpty();
    }
    assertThat(Path.of(lost)).doesNotExist();
    Files.write(Path.of(lost), new byte[5000]);
    assertThat(Run.of("nvme", "--backends", "direct", "--strategy", "two-step", lost).status()).isZero();
  }
}
