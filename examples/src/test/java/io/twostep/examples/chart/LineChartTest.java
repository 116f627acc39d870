package io.twostep.examples.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.examples.chart.LineChart.Point;
import io.twostep.examples.chart.LineChart.Series;
import java.util.List;
import org.junit.jupiter.api.Test;

class LineChartTest {
  @Test
  void markupIsEscapedAndMustBeClosed() {
    assertThat(new Markup().element("p", "a<b & \"c\"\u0000", "title", "\"x\"").toString()).isEqualTo("<p title=\"&quot;x&quot;\">a&lt;b &amp; &quot;c&quot;\ufffd</p>\n");
    assertThatThrownBy(() -> new Markup().open("p").toString()).isInstanceOf(IllegalStateException.class).hasMessageContaining("p");
  }

  @Test
  void axesAreLogarithmicAndMarked() {
    Axis bytes = Axis.over("x", 4096, 1 << 20, true);
    assertThat(bytes.at(4096)).isZero();
    assertThat(bytes.at(65_536)).isEqualTo(0.5);
    assertThat(bytes.marks()).hasSize(9);
    assertThat(bytes.text(65_536)).isEqualTo("64 KiB");
    Axis count = Axis.over("y", 3, 700, false);
    assertThat(count.least()).isEqualTo(1);
    assertThat(count.most()).isEqualTo(1000);
    assertThat(count.text(20)).isEqualTo("20");
    assertThat(count.text(0.5)).isEqualTo("0.50");
    assertThat(Axis.over("y", 1, 1e9, false).text(1e6)).isEqualTo("1 M");
  }

  @Test
  void oneValueIsAnAxisToo() {
    Axis one = Axis.over("x", 4096, 4096, true);
    assertThat(one.at(4096)).isZero();
    assertThat(one.marks()).containsExactly(4096.0, 8192.0);
  }

  @Test
  void linesRiseWhereValuesDoAndLieInsideTheirBand() {
    Series line = new Series("two-step", 2, List.of(new Point(1, 10, 8, 12), new Point(100, 1000, 900, 1100)));
    String svg = new LineChart("id", "title", "what", "n", "ns", false).add(line).add(new Series("left out", 3, List.of())).file();

    assertThat(svg).startsWith("<svg ").contains("<style>", "<title id=\"id-t\">title</title>", "two-step: 10 at 1", "two-step: 1 K at 100").doesNotContain("left out");
    double[][] points = points(svg, "polyline");
    assertThat(points[0][0]).isLessThan(points[1][0]);
    assertThat(points[0][1]).as("down is larger").isGreaterThan(points[1][1]);
    double[][] band = points(svg, "polygon");
    assertThat(band).hasDimensions(4, 2);
    assertThat(points[0][1]).isBetween(band[0][1], band[3][1]);
  }

  @Test
  void namesOfAnyLengthLieInsideThePicture() {
    String name = "a name that is longer than any the legend is usually wide enough for";
    String svg = new LineChart("id", "title", "what", "n", "ns", false).add(new Series(name, 0, List.of(new Point(1, 10, 8, 12)))).file();
    double width = Double.parseDouble(svg.replaceFirst("(?s)^.*?viewBox=\"0 0 ([0-9.]*) .*$", "$1"));
    double at = Double.parseDouble(svg.replaceFirst("(?s)^.*<text x=\"([0-9.]*)\"[^>]*>" + name + ".*$", "$1"));
    assertThat(at + 6 * name.length()).isLessThan(width);
  }

  private static double[][] points(String svg, String element) {
    String list = svg.substring(svg.indexOf("<" + element)).replaceFirst("(?s)^.*?points=\"([^\"]*)\".*$", "$1");
    return java.util.Arrays.stream(list.split(" "))
        .map(point -> java.util.Arrays.stream(point.split(",")).mapToDouble(Double::parseDouble).toArray())
        .toArray(double[][]::new);
  }
}
