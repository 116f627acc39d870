package io.twostep.examples.cli;

import io.twostep.examples.nvme.PeerCopyResult;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Says how a file went from controller to controller, to programs and to people. */
final class PeerReport {
  private static final String LEGEND =
      """

      Every run stores the file on the first controller, copies it twice to the second through the first one's memory, and compares SHA-256 of both copies.
        entries         address ranges both controllers were given for the copies
        IOVA allocs     ranges of I/O addresses that mappings took, from the allocator or what their handle kept; a bus address needs none
        invalidations   times the IOMMU had to forget translations
        host bytes      moved to and from host memory, in the copy that mixes it into each request
        peer bytes      moved to and from the first controller's memory""";

  private PeerReport() {}

  static boolean isVerified(List<PeerCopyResult> results) {
    return results.stream().allMatch(PeerCopyResult::verified);
  }

  static String json(List<PeerCopyResult> results) {
    JsonText text = new JsonText().open('{').member("command", "p2p").member("verified", isVerified(results)).name("runs").open('[');
    for (PeerCopyResult run : results) {
      text.open('{')
          .member("path", run.path().text())
          .member("mapType", run.mapType())
          .member("verified", run.verified())
          .member("hardwareEntries", run.hardwareEntries())
          .member("iovaAllocations", run.iovaAllocations())
          .member("invalidations", run.invalidations())
          .member("hostBytes", run.hostBytes())
          .member("peerBytes", run.peerBytes())
          .close('}');
    }
    return text.close(']').close('}').toString();
  }

  static String text(String file, List<PeerCopyResult> results) {
    List<String> lines = new ArrayList<>();
    for (PeerCopyResult run : results) {
      lines.add(run.path().text() + ": " + run.mapType());
      lines.add("  because " + run.reason());
      lines.add("  way of a request, numbered in the tree: " + String.join(" -> ", run.route()));
      run.tree().forEach(line -> lines.add("    " + line));
      lines.add("");
    }
    TextTable table =
        new TextTable("").heading("path", "map type", "arrived", "entries", "IOVA allocs", "invalidations", "host bytes", "peer bytes");
    for (PeerCopyResult run : results) {
      table.row(
          run.path().text(),
          run.mapType(),
          run.verified() ? "yes" : "NO",
          count(run.hardwareEntries()),
          count(run.iovaAllocations()),
          count(run.invalidations()),
          count(run.hostBytes()),
          count(run.peerBytes()));
    }
    lines.addAll(table.lines());
    lines.addAll(LEGEND.lines().toList());
    lines.add("");
    lines.add(
        isVerified(results)
            ? "Every byte of " + Printable.of(file) + " arrived in " + RunCount.all(results.size()) + ", by the way that was chosen."
            : "Bytes of " + Printable.of(file) + " were LOST, or took another way, in " + results.stream().filter(run -> !run.verified()).count() + " of " + results.size() + " runs.");
    return String.join(System.lineSeparator(), lines);
  }

  private static String count(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }
}
