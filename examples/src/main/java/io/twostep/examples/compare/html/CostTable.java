package io.twostep.examples.compare.html;

import io.twostep.examples.chart.Markup;
import io.twostep.examples.compare.Comparison;
import io.twostep.examples.compare.Counted;
import io.twostep.examples.compare.Spread;
import io.twostep.examples.compare.StrategyCost;
import java.util.List;
import java.util.Locale;

/** Every figure of a comparison. */
final class CostTable {
  private static final List<String> COLUMNS =
      List.of(
          "stack", "strategy", "entries", "IOVA allocations", "table writes", "table bytes", "invalidations", "bounced bytes", "cache lines cleaned", "metadata B/page", "map ns/page",
          "unmap ns/page", "heap B/request", "simulated ns/request");

  private CostTable() {}

  static void write(Markup to, Comparison of) {
    to.open("div", "class", "scroll", "tabindex", "0").open("table");
    to.open("caption").element("span", "Counted in one pass over all buffers, registration included; times as median (lowest to highest) of the rounds").close();
    to.open("thead").open("tr");
    COLUMNS.forEach(name -> to.element("th", name, "scope", "col"));
    to.close().close().open("tbody");
    for (StrategyCost cost : of.costs()) {
      Counted counted = cost.counted();
      to.open("tr").element("th", cost.of().stack().label(), "scope", "row").element("td", cost.of().strategy().text());
      for (long count :
          new long[] {
            counted.hardwareEntries(), counted.iovaAllocations(), counted.tableWrites(), counted.tableBytes(), counted.invalidations(), counted.bouncedBytes(), counted.cleanedLines(),
          }) {
        to.element("td", String.format(Locale.ROOT, "%,d", count), "class", "n");
      }
      number(to, counted.metadataBytesPerPage());
      spread(to, cost.timed().mapNanosPerPage());
      spread(to, cost.timed().unmapNanosPerPage());
      number(to, cost.timed().heapBytesPerOp());
      number(to, cost.simulatedNanosPerIo());
      to.close();
    }
    to.close().close().close();
  }

  private static void number(Markup to, double value) {
    to.element("td", String.format(Locale.ROOT, "%,.1f", value), "class", "n");
  }

  private static void spread(Markup to, Spread of) {
    to.element("td", String.format(Locale.ROOT, "%,.1f (%,.1f to %,.1f)", of.median(), of.lowest(), of.highest()), "class", "n");
  }
}
