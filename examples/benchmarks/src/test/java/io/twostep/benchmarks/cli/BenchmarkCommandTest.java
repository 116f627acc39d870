package io.twostep.benchmarks.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.examples.cli.CommandLineMain;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class BenchmarkCommandTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  private int run(String... arguments) {
    return CommandLineMain.run(new PrintStream(out, true, StandardCharsets.UTF_8), new PrintStream(err, true, StandardCharsets.UTF_8), arguments);
  }

  @Test
  void printsOneObjectPerCaseWithExactlyTheFieldsOfTheComparison() {
    assertThat(run("benchmark", "--flows", "--json", "iova_256p_fifo")).isZero();

    String number = "[0-9.]+";
    assertThat(out.toString(StandardCharsets.UTF_8).lines())
        .hasSize(2)
        .allMatch(
            line ->
                line.matches(
                    "\\{\"case\":\"iova_256p_fifo\",\"fmt\":\"none\",\"n\":100000,\"threads\":[12],\"ns_per_page\":N,\"ns_per_op\":N,"
                            .replace("N", number)
                        + "\"min_ns_per_op\":N,\"max_ns_per_op\":N,\"heap_bytes_per_op\":N,\"runs\":9\\}".replace("N", number)));
  }

  @Test
  void refusesAFlowThatDoesNotExistAndNamesThoseThatDo() {
    assertThat(run("benchmark", "--flows", "two-step")).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("no flow is called 'two-step'", "two_step_2m").hasLineCount(1);
  }

  @Test
  void refusesAStudyThatDoesNotExistAndAFolderThatIsAFile() {
    assertThat(run("benchmark", "--growth", "weight")).isEqualTo(2);
    assertThat(run("benchmark", "--growth", "--out", "/proc/version")).isEqualTo(2);
    assertThat(run("benchmark", "--growth", "--out", "/proc/none")).isEqualTo(2);
    assertThat(run("benchmark", "--growth", "--flows")).isEqualTo(2);
    assertThat(run("benchmark", "--rdma", "--flows")).isEqualTo(2);
    assertThat(run("benchmark", "--flows", "--out", "growth")).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8).lines())
        .containsExactly(
            "twostep: no study is called 'weight'; there are [requests, live, threads, age, memory]",
            "twostep: /proc/version is a file; --out must be a folder",
            "twostep: the folder /proc/none cannot be made; choose another --out",
            "twostep: --growth writes tables and pictures; leave --flows and --json out",
            "twostep: --rdma measures two pairs; leave --growth, --flows, --checker and FILTER out",
            "twostep: --out is where --growth writes; add --growth, or leave it out");
  }

  @Test
  void tellsWhatTheCheckerCostsInOneObject() {
    assertThat(run("benchmark", "--checker", "--json")).isZero();
    String number = "-?[0-9.]+";
    assertThat(out.toString(StandardCharsets.UTF_8).strip())
        .matches(
            "\\{\"case\":\"checker\",\"pages\":64,\"ns_without\":N,\"ns_with\":N,\"percent\":N,\"min_percent\":N,\"max_percent\":N,\"rounds\":25\\}"
                .replace("N", number));
    assertThat(run("benchmark", "--checker", "two_step")).isEqualTo(2);
  }

  @Test
  void refusesAFilterThatIsNoRegularExpression() {
    assertThat(run("benchmark", "[")).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("'[' is no regular expression").hasLineCount(1);
  }

  @Test
  void refusesAFilterThatNoBenchmarkMatches() {
    assertThat(run("benchmark", "NoSuchBenchmark")).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("twostep: no benchmark matches 'NoSuchBenchmark'").hasLineCount(1);
  }
}
