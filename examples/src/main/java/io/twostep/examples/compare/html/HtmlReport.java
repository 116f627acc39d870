package io.twostep.examples.compare.html;

import io.twostep.examples.chart.Markup;
import io.twostep.examples.chart.Palette;
import io.twostep.examples.compare.Advice;
import io.twostep.examples.compare.Comparison;
import io.twostep.examples.compare.MapStrategy;
import io.twostep.examples.compare.StackKind;
import io.twostep.examples.compare.StackKind.Case;
import io.twostep.examples.compare.StrategyCost;
import java.util.List;
import java.util.Locale;

/** A comparison as one HTML file: no script, no network, no other file. */
public final class HtmlReport {
  private static final String CSS =
      """
      body { margin: 0 auto; max-width: 1000px; padding: 1.5rem; background: var(--ground); color: var(--ink);
        font: 16px/1.5 system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; }
      h1 { font-size: 1.6rem; margin: 0 0 0.3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 0.6rem; } .muted { color: var(--muted); }
      figure { margin: 1rem 0 1.4rem; padding: 0.9rem; background: var(--panel); border-radius: 6px; break-inside: avoid; }
      figcaption { margin-bottom: 0.6rem; } svg { width: 100%; height: auto; display: block; } .box { stroke: var(--panel); stroke-width: 1; }
      figure svg text.muted { paint-order: stroke; stroke: var(--panel); stroke-width: 3px; } .frame { fill: none; stroke-width: 2; } .advice li { margin: 0.5rem 0; } .scroll { overflow-x: auto; }
      table { border-collapse: collapse; font-size: 0.8rem; width: 100%; } caption { text-align: left; padding: 0.4rem 0; color: var(--muted); }
      th, td { text-align: left; padding: 0.25rem 0.5rem; border-bottom: 1px solid var(--grid); white-space: nowrap; font-weight: normal; }
      thead th { white-space: normal; vertical-align: bottom; color: var(--muted); }
      .n { text-align: right; font-variant-numeric: tabular-nums; }
      .dot { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-right: 0.4em; }
      .dot.f0 { background: var(--c0); } .dot.f1 { background: var(--c1); } .dot.f2 { background: var(--c2); } .dot.f3 { background: var(--c3); } .dot.f4 { background: var(--c4); } .dot.f5 { background: var(--c5); }
      @media screen and (max-width: 760px) { body { padding: 1rem; } figure { overflow-x: auto; } figure svg { width: 680px; } figcaption { position: sticky; left: 0; }
        .advice { padding-left: 1.2rem; } caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 2rem); } }
      @media print { body { max-width: none; padding: 0; font-size: 11px; } table { font-size: 6.5pt; } th, td { padding: 1px 3px; }
        .scroll { overflow: visible; } * { print-color-adjust: exact; } }
      """;

  private static final List<Case> PICTURES =
      List.of(
          new Case(StackKind.IOMMU, MapStrategy.PER_PAGE),
          new Case(StackKind.IOMMU, MapStrategy.TWO_STEP),
          new Case(StackKind.DIRECT, MapStrategy.TWO_STEP),
          new Case(StackKind.BOUNCED_DIRECT, MapStrategy.BOUNCE));

  private HtmlReport() {}

  /**
   * Write a report.
   *
   * @param of what it is about
   * @param bySize the same buffers in requests of several sizes, ascending
   * @param computer what the times were measured on
   */
  public static String of(Comparison of, List<Comparison> bySize, String computer) {
    Markup to = new Markup();
    to.open("html", "lang", "en").open("head");
    to.leaf("meta", "charset", "utf-8").leaf("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
    to.element("title", "What mapping costs: " + of.layout().source());
    to.element("style", Palette.CSS + CSS).close();
    to.open("body").open("main");
    to.element("h1", "What mapping these buffers costs");
    to.element(
        "p",
        String.format(
            Locale.ROOT, "%s: %,d bytes in %,d ranges, requests of %,d bytes. Measured on %s.", of.layout().source(), of.layout().bytes(), of.layout().ranges(),
            Math.min(of.ioSize(), of.layout().bytes()), computer),
        "class", "muted");
    advice(to, of);
    pictures(to, of);
    to.element("h2", "What a request costs").open("figure");
    to.element(
        "figcaption",
        "Time of the processor was measured with strategies taking turns; time of the translation hardware is simulated from counted misses, table reads and invalidations.");
    CostBars.write(to, of);
    to.close();
    if (bySize.size() > 1) {
      to.element("h2", "What wins by request size");
      new SizeCharts(bySize).write(to);
    }
    to.element("h2", "All figures");
    CostTable.write(to, of);
    to.close().close().close();
    return "<!DOCTYPE html>\n" + to;
  }

  private static void advice(Markup to, Comparison of) {
    to.element("h2", "What to choose, and why").open("ul", "class", "advice");
    Advice.of(of).forEach(sentence -> to.element("li", sentence));
    to.close();
  }

  private static void pictures(Markup to, Comparison of) {
    to.element("h2", "How memory became entries");
    to.element("p", "The first request: its memory by physical address, the same bytes by the addresses the device uses, and what the device was given.", "class", "muted");
    for (int i = 0; i < PICTURES.size(); i++) {
      StrategyCost cost = of.cost(PICTURES.get(i).stack(), PICTURES.get(i).strategy());
      if (cost != null) {
        new MappingPicture("picture-" + i, of.layout(), cost).write(to);
      }
    }
  }
}
