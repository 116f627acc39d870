package io.twostep.examples.cli;

import io.twostep.examples.compare.Advice;
import io.twostep.examples.compare.Comparison;
import io.twostep.examples.compare.Counted;
import io.twostep.examples.compare.Spread;
import io.twostep.examples.compare.StrategyCost;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Says what strategies cost, to programs and to people. */
final class CompareReport {
  private static final String LEGEND =
      """

      Counted in one pass over all buffers, registration included; the device read every byte, and found what the CPU had put there.
        entries         address ranges the device was given
        IOVA allocs     ranges of I/O addresses that mappings took, from the allocator or what their handle kept
        table writes    words set, changed or cleared in page tables; table bytes: their memory at its highest
        invalidations   times the IOMMU had to forget translations; per-page invalidates for each page, the others once a request
        bounced         bytes copied into and out of bounce slots
        meta B/page     heap bytes held for each further 4 KiB page of a mapped request; below some hundred pages also what lists begin with
      Measured on this computer, strategies taking turns, as median (lowest to highest) of the rounds, hardware that takes no time:
        map, unmap      nanoseconds for each 4 KiB page; registered memory is only looked up
        heap B          heap bytes allocated by mapping and unmapping a request
      Simulated by the model's costs of translation misses, table reads and invalidations:
        simulated       nanoseconds for each request; a device that translates nothing has none
      Stacks: iommu writes VT-d second-stage tables unless it says amd-v1; forced has everything copied, untrusted and non-coherent have what shares a page or a cache line with others.""";

  private CompareReport() {}

  static String json(Comparison result) {
    JsonText text =
        new JsonText()
            .open('{')
            .member("command", "compare")
            .member("source", result.layout().source())
            .member("ranges", result.layout().ranges())
            .member("bytes", result.layout().bytes())
            .name("runs")
            .open('[');
    for (StrategyCost cost : result.costs()) {
      Counted counted = cost.counted();
      text.open('{')
          .member("backend", cost.of().stack().label())
          .member("strategy", cost.of().strategy().text())
          .member("hardwareEntries", counted.hardwareEntries())
          .member("iovaAllocations", counted.iovaAllocations())
          .member("tableWrites", counted.tableWrites())
          .member("tableBytes", counted.tableBytes())
          .member("invalidations", counted.invalidations())
          .member("bouncedBytes", counted.bouncedBytes())
          .member("metadataBytesPerPage", counted.metadataBytesPerPage())
          .member("mapNanosPerPage", cost.timed().mapNanosPerPage().median())
          .member("unmapNanosPerPage", cost.timed().unmapNanosPerPage().median())
          .member("heapBytesPerOp", cost.timed().heapBytesPerOp())
          .member("simulatedNanosPerIo", cost.simulatedNanosPerIo())
          .close('}');
    }
    return text.close(']').member("advice", String.join(" ", Advice.of(result))).close('}').toString();
  }

  static String text(Comparison result) {
    TextTable table =
        new TextTable("")
            .heading(
                "stack", "strategy", "entries", "IOVA allocs", "table writes", "table bytes", "invalidations", "bounced", "meta B/page", "map ns/page",
                "unmap ns/page", "heap B", "simulated ns/IO");
    for (StrategyCost cost : result.costs()) {
      Counted counted = cost.counted();
      table.row(
          cost.of().stack().label(),
          cost.of().strategy().text(),
          count(counted.hardwareEntries()),
          count(counted.iovaAllocations()),
          count(counted.tableWrites()),
          count(counted.tableBytes()),
          count(counted.invalidations()),
          count(counted.bouncedBytes()),
          number(counted.metadataBytesPerPage()),
          spread(cost.timed().mapNanosPerPage()),
          spread(cost.timed().unmapNanosPerPage()),
          number(cost.timed().heapBytesPerOp()),
          count(Math.round(cost.simulatedNanosPerIo())));
    }
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s: %,d bytes in %,d ranges, requests of %,d bytes"
            .formatted(Printable.of(result.layout().source()), result.layout().bytes(), result.layout().ranges(), Math.min(result.ioSize(), result.layout().bytes())));
    lines.add("");
    lines.addAll(table.lines());
    lines.addAll(LEGEND.lines().toList());
    for (String advice : Advice.of(result)) {
      lines.add("");
      lines.add(advice);
    }
    return String.join(System.lineSeparator(), lines);
  }

  private static String count(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%,.1f", value);
  }

  private static String spread(Spread of) {
    return number(of.median()) + " (" + number(of.lowest()) + " to " + number(of.highest()) + ")";
  }
}
