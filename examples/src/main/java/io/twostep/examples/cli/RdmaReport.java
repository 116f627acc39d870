package io.twostep.examples.cli;

import io.twostep.examples.rdma.RdmaResult;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Says how a file went from host to host, to programs and to people. */
final class RdmaReport {
  private static final String LEGEND =
      """

      Every run moves the file from the near process to the far one and back, and compares SHA-256 of what arrived and of what came back, each time it is moved.
        mode            pinned: memory is pinned and mapped, a piece at a time, and cannot move. odp: one range, whose pages are linked when an adapter asks for them.
                        implicit: the whole process at once, a GiB at a time
        pages           pages of the file moved, there and back, each time
        page events     pages brought in, copied, moved, swapped out or unmapped in both processes
        faults          times an adapter asked for pages that it did not have
        changes         changes of pages that the processes announced before they made them
        retries         times a fault had to look again, because pages changed while it looked
        IOVA allocs     ranges of I/O addresses that mappings took, from the allocators or what their handle kept
        invalidations   times the IOMMUs had to forget translations
        meta B/page     heap bytes kept for each registered page beside the I/O page table; the adapter's own translation entries, 8 bytes each, are not counted
        us/page         microseconds of processor time to make a page reachable: to fault it in and link it, or to pin, map and register it""";

  private RdmaReport() {}

  static boolean isVerified(List<RdmaResult> results) {
    return results.stream().allMatch(RdmaResult::verified);
  }

  static String json(List<RdmaResult> results) {
    JsonText text = new JsonText().open('{').member("command", "rdma").member("verified", isVerified(results)).name("runs").open('[');
    for (RdmaResult run : results) {
      text.open('{')
          .member("mode", run.mode().text())
          .member("stack", run.stack())
          .member("verified", run.verified())
          .member("pages", run.pages())
          .member("faults", run.faults())
          .member("invalidationEvents", run.invalidationEvents())
          .member("retries", run.retries())
          .member("iovaAllocations", run.iovaAllocations())
          .member("invalidations", run.invalidations())
          .member("metadataBytesPerPage", run.metadataBytesPerPage())
          .member("nanosPerFaultedPage", run.nanosPerFaultedPage())
          .close('}');
    }
    return text.close(']').close('}').toString();
  }

  static String text(String file, List<RdmaResult> results) {
    TextTable table =
        new TextTable("")
            .heading(
                "mode", "stack", "came back", "times", "pages", "page events", "faults", "changes", "retries", "IOVA allocs", "invalidations", "meta B/page", "us/page");
    for (RdmaResult run : results) {
      table.row(
          run.mode().text(),
          run.stack(),
          run.verified() ? "yes" : "NO",
          count(run.passes()),
          count(run.pages()),
          count(run.events()),
          count(run.faults()),
          count(run.invalidationEvents()),
          count(run.retries()),
          count(run.iovaAllocations()),
          count(run.invalidations()),
          decimal(run.metadataBytesPerPage()),
          decimal(run.nanosPerFaultedPage() / 1000));
    }
    List<String> lines = new ArrayList<>(table.lines());
    lines.addAll(LEGEND.lines().toList());
    lines.add("");
    lines.add(
        isVerified(results)
            ? "Every byte of " + Printable.of(file) + " arrived and came back, every time, in " + RunCount.all(results.size()) + "."
            : "Bytes of " + Printable.of(file) + " were LOST, or an adapter reached memory that was not its to reach, in "
                + results.stream().filter(run -> !run.verified()).count()
                + " of "
                + results.size()
                + " runs.");
    return String.join(System.lineSeparator(), lines);
  }

  private static String count(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  private static String decimal(double value) {
    return String.format(Locale.ROOT, "%,.2f", value);
  }
}
