package io.twostep.examples.cli;

import io.twostep.examples.nvme.Comparison;
import io.twostep.examples.nvme.RunResult;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Says what came of a file, to programs and to people. */
final class NvmeReport {
  private static final String LEGEND =
      """

      Every run writes the whole file through the driver to an NVMe controller, reads it back and compares SHA-256. A - stands for what was not counted.
        I/Os            requests to write and to read the file
        entries         address ranges the controller was given; fewer is better for the device
        IOVA allocs     ranges of I/O addresses that mappings took, from the allocator or what their handle kept
        table writes    words set, changed or cleared in I/O page tables, where they are ours: on other machines than the modelled one a host keeps them
        invalidations   times the IOMMU had to forget translations, where we ask it to
        bounced         bytes copied into and out of bounce slots
        meta B/page     heap bytes the strategy keeps per mapped 4 KiB page, measured on requests of 256 and 512 pages
        us/IO           microseconds per request when warm, best of several batches, the device included
        heap B/IO       heap bytes allocated per request when warm, a modelled device included""";

  private NvmeReport() {}

  static String json(String file, Comparison result) {
    JsonText text =
        new JsonText()
            .open('{')
            .member("command", "nvme")
            .member("file", file)
            .member("bytes", result.bytes())
            .member("sha256", result.sha256())
            .member("verified", result.isVerified())
            .name("runs")
            .open('[');
    for (RunResult run : result.runs()) {
      text.open('{')
          .member("stack", run.stack())
          .member("strategy", run.strategy().text())
          .member("verified", run.verified())
          .member("ios", run.ios())
          .member("hardwareEntries", run.hardwareEntries())
          .member("iovaAllocations", run.iovaAllocations())
          .count("tableWrites", run.tableWrites())
          .count("invalidations", run.invalidations())
          .member("bouncedBytes", run.bouncedBytes())
          .member("metadataBytesPerPage", run.metadataBytesPerPage())
          .member("nanosPerIo", run.nanosPerIo())
          .member("heapBytesPerIo", run.heapBytesPerIo())
          .close('}');
    }
    return text.close(']').close('}').toString();
  }

  static String table(String file, Comparison result) {
    TextTable table =
        new TextTable("")
            .heading(
                "stack", "strategy", "came back", "I/Os", "entries", "IOVA allocs", "table writes", "invalidations", "bounced", "meta B/page", "us/IO",
                "heap B/IO");
    for (RunResult run : result.runs()) {
      table.row(
          run.stack(),
          run.strategy().text(),
          run.verified() ? "yes" : "NO",
          count(run.ios()),
          count(run.hardwareEntries()),
          count(run.iovaAllocations()),
          count(run.tableWrites()),
          count(run.invalidations()),
          count(run.bouncedBytes()),
          decimal(run.metadataBytesPerPage()),
          decimal(run.nanosPerIo() / 1000),
          decimal(run.heapBytesPerIo()));
    }
    List<String> lines = new ArrayList<>();
    lines.add(Printable.of(file) + ": " + count(result.bytes()) + " bytes, SHA-256 " + result.sha256());
    lines.add("");
    lines.addAll(table.lines());
    lines.addAll(LEGEND.lines().toList());
    lines.add("");
    for (RunResult run : result.runs()) {
      if (!run.checker().isEmpty()) {
        lines.add(run.stack() + ", " + run.strategy().text() + ": " + run.checker());
      }
    }
    lines.add(
        result.isVerified()
            ? "Every byte came back in " + RunCount.all(result.runs().size()) + "."
            : "Bytes were LOST in " + result.runs().stream().filter(run -> !run.verified()).count() + " of " + result.runs().size() + " runs.");
    return String.join(System.lineSeparator(), lines);
  }

  private static String count(long value) {
    return value < 0 ? "-" : String.format(Locale.ROOT, "%,d", value);
  }

  private static String decimal(double value) {
    return String.format(Locale.ROOT, "%,.1f", value);
  }
}
