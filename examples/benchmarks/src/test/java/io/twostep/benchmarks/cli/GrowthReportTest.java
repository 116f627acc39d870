package io.twostep.benchmarks.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.benchmarks.growth.GrowthChart;
import io.twostep.benchmarks.growth.Measured;
import io.twostep.examples.cli.BadInput;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GrowthReportTest {
  @TempDir Path folder;

  private final StringWriter out = new StringWriter();

  private void report() {
    Map<GrowthChart, List<Measured>> points = new EnumMap<>(GrowthChart.class);
    points.put(GrowthChart.LIVE, List.of(new Measured(GrowthChart.LIVE, "some line", 100, 7.5, 7.25, 8), new Measured(GrowthChart.LIVE, "some line", 1000, 9, 8, 10)));
    points.put(GrowthChart.AGE, List.of(new Measured(GrowthChart.AGE, "another line", 10, 3.5, 3, 4), new Measured(GrowthChart.AGE, "another line", 100, 3.5, 3, 4)));
    new GrowthReport(new PrintWriter(out), new PrintWriter(new StringWriter()), folder).report(points);
  }

  /** Who still has the old file open, or linked, has all of it: it was not cut short to be written anew. */
  @Test
  void filesAreReplacedWholeAndNotWrittenOver() throws IOException {
    Path csv = Files.writeString(folder.resolve("growth-live.csv"), "old table");
    Path svg = Files.writeString(folder.resolve("growth-live.svg"), "old picture");
    Path oldTable = Files.createLink(folder.resolve("old.csv"), csv);
    Path oldPicture = Files.createLink(folder.resolve("old.svg"), svg);
    report();

    assertThat(csv).content().startsWith("# ").endsWith("some line,100,7.50,7.25,8.00\nsome line,1000,9.00,8.00,10.00\n");
    assertThat(svg).content().contains("some line").endsWith("</svg>\n");
    assertThat(oldTable).hasContent("old table");
    assertThat(oldPicture).hasContent("old picture");
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrder("growth-age.csv", "growth-age.svg", "growth-live.csv", "growth-live.svg", "old.csv", "old.svg");
    }
    assertThat(out.toString()).contains("written to " + csv + " and " + svg);
  }

  @Test
  void whatWasMeasuredIsPrintedThoughNoFileCanBeWritten() throws IOException {
    Files.createDirectory(folder.resolve("growth-live.csv"));

    assertThatThrownBy(this::report).isInstanceOf(BadInput.class).hasMessageContaining("growth-live.csv cannot be written");
    assertThat(out.toString()).contains("some line", "another line").doesNotContain("written to");
  }
}
