package io.twostep.benchmarks.cli;

import io.twostep.benchmarks.flow.Pair.Spread;
import io.twostep.benchmarks.flow.RdmaFigures;
import io.twostep.examples.cli.Environment;
import io.twostep.examples.cli.JsonText;
import io.twostep.examples.cli.TextTable;
import java.util.List;
import java.util.Locale;

/** Says what on-demand memory and registrations cost, to programs and to people. */
final class RdmaFiguresReport {
  private RdmaFiguresReport() {}

  static String text(RdmaFigures figures) {
    double regionMore = figures.regionInvalidations() * figures.invalidationNanos();
    double eachMore = figures.eachInvalidations() * figures.invalidationNanos();
    TextTable table =
        new TextTable("").heading("what", "ns/op", "min", "max", "invalidations", "ns/page", "with them").row(row("a region of 2 MiB faulted in", figures.faults().one(), figures, figures.regionInvalidations(), regionMore));
    table.row(row("the same page by page", figures.faults().other(), figures, figures.eachInvalidations(), eachMore));
    TextTable registrations = new TextTable("").heading("what", "ns/op", "min", "max", "address ranges");
    registrations.row(row("extents of 8 GiB", figures.registration().one(), figures.addressRanges()));
    registrations.row(row("the same with a peer's page", figures.registration().other(), figures.addressRangesWithPeer()));
    String lines = String.join(System.lineSeparator(), table.lines());
    return String.join(
        System.lineSeparator(),
        List.of(
            Environment.text() + "; processor time of one thread, medians of rounds in which both sides take turns",
            lines,
            "page by page costs %s times as much, with %.0f ns for an invalidation; a region is to be 5 times cheaper".formatted(text(figures.faultRatio()), figures.invalidationNanos()),
            "a region keeps %.2f bytes per page beside the I/O page table, of 1 that it may; translation entries in the adapter are not counted".formatted(figures.metadataBytesPerPage()),
            String.join(System.lineSeparator(), registrations.lines()),
            "a peer's page costs %s times as much; it may 1.05".formatted(text(figures.registrationRatio()))));
  }

  private static String text(Spread ratio) {
    return String.format(Locale.ROOT, "%.2f (%.2f to %.2f)", ratio.median(), ratio.lowest(), ratio.highest());
  }

  private static String[] row(String what, Spread nanos, RdmaFigures figures, double invalidations, double more) {
    return new String[] {
      what, number(nanos.median()), number(nanos.lowest()), number(nanos.highest()), number(invalidations), number(nanos.median() / figures.pages()), number((nanos.median() + more) / figures.pages())
    };
  }

  private static String[] row(String what, Spread nanos, long ranges) {
    return new String[] {what, number(nanos.median()), number(nanos.lowest()), number(nanos.highest()), Long.toString(ranges)};
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, value < 100 ? "%.1f" : "%,.0f", value);
  }

  static String json(RdmaFigures figures) {
    return new JsonText()
        .open('{')
        .member("faultRatio", figures.faultRatio().median())
        .member("faultRatioLowest", figures.faultRatio().lowest())
        .member("faultRatioHighest", figures.faultRatio().highest())
        .member("regionNanosPerPage", figures.faults().one().median() / figures.pages())
        .member("eachNanosPerPage", figures.faults().other().median() / figures.pages())
        .member("regionInvalidations", figures.regionInvalidations())
        .member("eachInvalidations", figures.eachInvalidations())
        .member("metadataBytesPerPage", figures.metadataBytesPerPage())
        .member("registrationRatio", figures.registrationRatio().median())
        .member("registrationRatioLowest", figures.registrationRatio().lowest())
        .member("registrationRatioHighest", figures.registrationRatio().highest())
        .member("addressRanges", figures.addressRanges())
        .member("addressRangesWithPeer", figures.addressRangesWithPeer())
        .close('}')
        .toString();
  }
}
