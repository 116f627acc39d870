package io.twostep.examples.compare.html;

import io.twostep.examples.chart.LineChart;
import io.twostep.examples.chart.LineChart.Point;
import io.twostep.examples.chart.LineChart.Series;
import io.twostep.examples.chart.Markup;
import io.twostep.examples.chart.Palette;
import io.twostep.examples.compare.Advice;
import io.twostep.examples.compare.Comparison;
import io.twostep.examples.compare.MapStrategy;
import io.twostep.examples.compare.StackKind;
import io.twostep.examples.compare.StackKind.Case;
import io.twostep.examples.compare.StrategyCost;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What each strategy costs as requests grow, and which wins. */
final class SizeCharts {
  private static final List<MapStrategy> PER_REQUEST =
      List.of(MapStrategy.PER_PAGE, MapStrategy.SCATTER_LIST, MapStrategy.TWO_STEP, MapStrategy.BOUNCE);

  private final List<Comparison> bySize;

  SizeCharts(List<Comparison> bySize) {
    this.bySize = bySize;
  }

  void write(Markup to) {
    chart(to, "by-size-iommu", "Behind an IOMMU", StackKind.IOMMU, StackKind.BOUNCED_IOMMU);
    chart(to, "by-size-direct", "Without an IOMMU", StackKind.DIRECT, StackKind.BOUNCED_DIRECT);
    winners(to);
  }

  private void chart(Markup to, String id, String where, StackKind mapped, StackKind bounced) {
    to.open("figure").element("figcaption", where + ": nanoseconds for each 4 KiB page, by request size; both axes are logarithmic, and lower is better.");
    LineChart chart =
        new LineChart(
            id,
            where + ": cost of a page by request size",
            "The same figures, as the cheapest per size, are in the table below.",
            "bytes of a request",
            "ns for each 4 KiB page",
            true);
    for (MapStrategy strategy : MapStrategy.values()) {
      StackKind stack = strategy == MapStrategy.BOUNCE ? bounced : mapped;
      List<Point> points = new ArrayList<>();
      for (Comparison at : bySize) {
        StrategyCost cost = at.cost(stack, strategy);
        if (cost != null) {
          points.add(point(at.ioSize(), cost));
        }
      }
      chart.add(new Series(strategy.text(), StrategyColour.of(strategy), points));
    }
    chart.write(to);
    to.close();
  }

  private static Point point(long ioSize, StrategyCost cost) {
    double simulated = cost.simulatedNanosPerIo() / cost.pagesPerIo();
    double low = cost.timed().mapNanosPerPage().lowest() + cost.timed().unmapNanosPerPage().lowest() + simulated;
    double high = cost.timed().mapNanosPerPage().highest() + cost.timed().unmapNanosPerPage().highest() + simulated;
    return new Point(ioSize, cost.nanosPerIo() / cost.pagesPerIo(), low, high);
  }

  private void winners(Markup to) {
    to.open("div", "class", "scroll", "tabindex", "0").open("table");
    to.open("caption")
        .element(
            "span",
            "The cheapest way to map each request, by its size, or of those that cost the same the one that keeps the least for a page; registered memory, which is mapped once, and lazy"
                + " invalidation, which protects less, aside")
        .close();
    to.open("thead").open("tr");
    for (String name : List.of("request", "behind an IOMMU", "a request", "next", "without an IOMMU", "a request", "next")) {
      to.element("th", name, "scope", "col");
    }
    to.close().close().open("tbody");
    for (Comparison at : bySize) {
      to.open("tr").element("th", String.format(Locale.ROOT, "%,d B", at.ioSize()), "scope", "row");
      winner(to, at, StackKind.IOMMU, StackKind.BOUNCED_IOMMU);
      winner(to, at, StackKind.DIRECT, StackKind.BOUNCED_DIRECT);
      to.close();
    }
    to.close().close().close();
  }

  private static void winner(Markup to, Comparison at, StackKind mapped, StackKind bounced) {
    List<StrategyCost> ranked =
        Advice.ranked(at, PER_REQUEST.stream().map(strategy -> new Case(strategy == MapStrategy.BOUNCE ? bounced : mapped, strategy)).toList());
    StrategyCost best = ranked.getFirst();
    StrategyCost next = ranked.get(1);
    to.open("td").element("span", "", "class", "dot " + Palette.fill(StrategyColour.of(best.of().strategy()))).text(best.of().strategy().text()).close();
    to.element("td", Advice.time(best.nanosPerIo()), "class", "n");
    String ratio = Advice.isEqual(best.nanosPerIo(), next.nanosPerIo()) ? "the same" : String.format(Locale.ROOT, "%.2f times", next.nanosPerIo() / best.nanosPerIo());
    to.element("td", next.of().strategy().text() + ", " + ratio);
  }
}
