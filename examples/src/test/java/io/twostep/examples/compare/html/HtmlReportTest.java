package io.twostep.examples.compare.html;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.examples.compare.Comparing;
import io.twostep.examples.compare.Comparison;
import io.twostep.examples.compare.Effort;
import io.twostep.examples.compare.StrategyCost;
import io.twostep.examples.compare.SyntheticLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The file that people open: needs nothing else, is well-formed, and shows what was counted. */
class HtmlReportTest {
  private static final Pattern TAG = Pattern.compile("<(/?)([a-z0-9]+)([^<>]*?)(/?)>");
  private static final List<Comparison> BY_SIZE = new ArrayList<>();
  private static Comparison comparison;
  private static String html;

  @BeforeAll
  static void compare() throws Exception {
    try (Comparing comparing = Comparing.ofRandomBytes(SyntheticLayout.of("scattered:4096x24+unaligned:5000x4", 7), (what, step, total) -> {})) {
      comparison = comparing.run(64 << 10, new Effort(2, 1, 1));
      BY_SIZE.add(comparing.run(4096, new Effort(2, 1, 1)));
      BY_SIZE.add(comparison);
    }
    html = HtmlReport.of(comparison, BY_SIZE, "a computer <of> mine");
  }

  @Test
  void needsNoNetworkNoScriptAndNoOtherFile() {
    assertThat(html.replace("xmlns=\"http://www.w3.org/2000/svg\"", ""))
        .doesNotContain("http", "//www", "<script", "<link", "<iframe", "src=", "url(", "@import", "href=");
  }

  @Test
  void everyElementIsClosedAndTextIsEscaped() {
    assertThat(html).startsWith("<!DOCTYPE html>\n<html lang=\"en\">").contains("a computer &lt;of&gt; mine");
    Deque<String> open = new ArrayDeque<>();
    Matcher tags = TAG.matcher(html);
    while (tags.find()) {
      if (!tags.group(1).isEmpty()) {
        assertThat(tags.group(2)).isEqualTo(open.pop());
      } else if (tags.group(4).isEmpty()) {
        open.push(tags.group(2));
      }
    }
    assertThat(open).isEmpty();
    // A browser takes these as opened only.
    assertThat(Pattern.compile("<(?!meta|line|rect|circle|path|polyline|polygon)[a-z0-9]+[^<>]*/>").matcher(html).find()).isFalse();
  }

  @Test
  void aPictureSaysHowManyPiecesItLeavesOut() throws Exception {
    assertThat(captions("scattered:4096x100")).contains("iommu / two-step: the first 48 of 100 pieces in 48 places of memory, seen as 1 range of device addresses, given as 1 entry<");
    assertThat(captions("scattered:4096x48")).contains("iommu / two-step: 48 pieces in 48 places of memory, seen as 1 range").doesNotContain("first 48");
  }

  private static String captions(String spec) throws Exception {
    try (Comparing comparing = Comparing.ofRandomBytes(SyntheticLayout.of(spec, 7), (what, step, total) -> {})) {
      return HtmlReport.of(comparing.run(1 << 20, new Effort(2, 1, 1)), List.of(), "a computer");
    }
  }

  @Test
  void everyPictureHasATextAndEveryIdIsUnique() {
    Set<String> ids = new HashSet<>();
    Matcher id = Pattern.compile(" id=\"([^\"]+)\"").matcher(html);
    while (id.find()) {
      assertThat(ids.add(id.group(1))).as(id.group(1)).isTrue();
    }
    Matcher svg = Pattern.compile("<svg [^>]*>").matcher(html);
    int pictures = 0;
    while (svg.find()) {
      pictures++;
      assertThat(svg.group()).contains("role=\"img\"");
      for (String named : svg.group().replaceFirst(".*aria-labelledby=\"([^\"]+)\".*", "$1").split(" ")) {
        assertThat(ids).contains(named);
      }
    }
    assertThat(pictures).as("four of mappings, the bars, two by size").isEqualTo(7);
  }

  @Test
  void isReadableOnLightAndDarkGroundAndOnPaper() {
    assertThat(html).contains("@media (prefers-color-scheme: dark)", "@media print", "name=\"viewport\"", "charset=\"utf-8\"");
  }

  @Test
  void picturesShowWhatWasCounted() {
    String twoStep = picture("iommu / two-step");
    assertThat(twoStep).contains("in 16 places of memory", "1 range of device addresses", "given as 1 entry");
    assertThat(count(twoStep, " box\"")).as("a box for each page in memory and for the device").isEqualTo(32);
    assertThat(count(twoStep, "class=\"frame ")).isEqualTo(1);
    String perPage = picture("iommu / per-page");
    assertThat(count(perPage, "class=\"frame ")).isEqualTo(16);
    assertThat(picture("direct / two-step")).contains("16 ranges of device addresses").contains("0x" + Long.toHexString(comparison.layout().phys(0)) + "+0x1000");
  }

  @Test
  void everyStrategyHasABarAndARow() {
    String bars = html.substring(html.indexOf("aria-labelledby=\"bars-t\""), html.indexOf("What wins by request size"));
    String table = html.substring(html.indexOf("All figures"));
    for (StrategyCost cost : comparison.costs()) {
      assertThat(bars).contains(">" + cost.of().label() + "</text>", cost.of().label() + ", translation, simulated: ");
      assertThat(table).contains("<td>" + cost.of().strategy().text() + "</td>");
    }
    assertThat(count(table, "<tr>")).isEqualTo(1 + comparison.costs().size());
  }

  @Test
  void oneSizeAloneHasNoChartBySize() {
    assertThat(HtmlReport.of(comparison, List.of(comparison), "x")).doesNotContain("What wins by request size");
  }

  private static String picture(String label) {
    int at = html.indexOf("<figcaption>" + label);
    assertThat(at).as(label).isPositive();
    return html.substring(at, html.indexOf("</figure>", at));
  }

  private static int count(String text, String what) {
    return text.split(Pattern.quote(what), -1).length - 1;
  }
}
