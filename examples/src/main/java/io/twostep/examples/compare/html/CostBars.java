package io.twostep.examples.compare.html;

import io.twostep.examples.chart.Markup;
import io.twostep.examples.chart.Palette;
import io.twostep.examples.compare.Advice;
import io.twostep.examples.compare.Comparison;
import io.twostep.examples.compare.StrategyCost;

/** A bar for what a request cost by each strategy: mapping, unmapping, translation. */
final class CostBars {
  private static final double WIDTH = 900;
  private static final double LEFT = 290;
  private static final double SPAN = WIDTH - LEFT - 90;
  private static final double ROW = 24;
  private static final double TOP = 34;
  private static final String[] PARTS = {"mapping, measured", "unmapping, measured", "translation, simulated"};
  private static final String[] OPACITY = {"1", "0.6", "0.28"};

  private CostBars() {}

  static void write(Markup to, Comparison of) {
    double most = of.costs().stream().mapToDouble(StrategyCost::nanosPerIo).max().orElse(1);
    double height = TOP + ROW * of.costs().size() + 6;
    to.open("svg", "xmlns", "http://www.w3.org/2000/svg", "viewBox", "0 0 " + Markup.at(WIDTH) + " " + Markup.at(height), "role", "img", "aria-labelledby", "bars-t");
    to.element("title", "What a request costs by every strategy on every stack; the same figures are in the table at the end", "id", "bars-t");
    double x = LEFT;
    for (int part = 0; part < PARTS.length; part++) {
      to.leaf("rect", "class", "f7", "opacity", OPACITY[part], "x", Markup.at(x), "y", "6", "width", "14", "height", "14");
      to.element("text", PARTS[part], "x", Markup.at(x + 20), "y", "17");
      x += 170;
    }
    double y = TOP;
    for (StrategyCost cost : of.costs()) {
      bar(to, cost, y, most);
      y += ROW;
    }
    to.close();
  }

  private static void bar(Markup to, StrategyCost cost, double y, double most) {
    double[] parts = {cost.mapNanosPerIo(), cost.unmapNanosPerIo(), cost.simulatedNanosPerIo()};
    to.element("text", cost.of().label(), "x", Markup.at(LEFT - 8), "y", Markup.at(y + 15), "text-anchor", "end");
    double x = LEFT;
    for (int part = 0; part < parts.length; part++) {
      double width = parts[part] / most * SPAN;
      to.open("g").element("title", cost.of().label() + ", " + PARTS[part] + ": " + Advice.time(parts[part]));
      to.leaf(
          "rect", "class", Palette.fill(StrategyColour.of(cost.of().strategy())), "opacity", OPACITY[part], "x", Markup.at(x), "y", Markup.at(y + 2), "width",
          String.valueOf(Math.max(width, 0.1)), "height", Markup.at(ROW - 6));
      to.close();
      x += width;
    }
    to.element("text", Advice.time(cost.nanosPerIo()), "x", Markup.at(x + 6), "y", Markup.at(y + 15));
  }
}
