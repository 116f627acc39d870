package io.twostep.benchmarks.growth;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.benchmarks.flow.FlowTimer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every study runs to its end on a small scale, and what it measured can be written and drawn. */
class GrowthTest {
  private static final Scale SMALL = new Scale(new FlowTimer(3, 100_000, 1), 4, 1000, 2, 200_000, 1L << 30);

  private static List<Measured> run(Growth growth) throws InterruptedException {
    List<Measured> points = new ArrayList<>();
    growth.run(SMALL, points::add);
    return points;
  }

  @ParameterizedTest
  @EnumSource
  void everyStudyMeasuresPointsThatRiseAlongTheirLine(Growth growth) throws InterruptedException {
    List<Measured> points = run(growth);

    assertThat(points)
        .isNotEmpty()
        .allSatisfy(
            point -> {
              assertThat(point.lowest()).isPositive();
              assertThat(point.median()).isBetween(point.lowest(), point.highest());
              assertThat(Measured.parse(point.text())).isEqualTo(point);
            });
    points.stream()
        .collect(Collectors.groupingBy(point -> point.chart() + point.line()))
        .values()
        .forEach(line -> assertThat(line).extracting(Measured::x).isSorted().doesNotHaveDuplicates());
  }

  @Test
  void chartsAreTablesAndPictures() throws InterruptedException {
    List<Measured> points = run(Growth.REQUESTS);

    assertThat(points).hasSize(5 * 3).allSatisfy(point -> assertThat(point.chart()).isEqualTo(GrowthChart.REQUESTS));
    assertThat(GrowthChart.REQUESTS.csv(points).lines()).hasSize(1 + 15).first().isEqualTo("line,4 KiB pages of a request,median,lowest,highest");
    assertThat(GrowthChart.REQUESTS.csv(points)).contains("transfer; direct,4,");
    assertThat(GrowthChart.REQUESTS.svg(points)).startsWith("<svg xmlns=").contains("transfer, direct", "map_sg, vtd", "two_step, vtd").doesNotContain("amdv1");
    assertThat(GrowthChart.AGE_CACHES.file()).isEqualTo("growth-age-caches");
  }

  @Test
  void anAllocatorThatAgesKeepsWhatIsLive() throws InterruptedException {
    assertThat(run(Growth.AGE))
        .filteredOn(point -> point.line().equals("live ranges"))
        .hasSize(2)
        .allSatisfy(point -> assertThat(point.median()).isEqualTo(100_000));
  }
}
