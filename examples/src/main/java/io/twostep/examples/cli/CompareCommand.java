package io.twostep.examples.cli;

import io.twostep.examples.compare.Comparing;
import io.twostep.examples.compare.Comparison;
import io.twostep.examples.compare.Effort;
import io.twostep.examples.compare.Layout;
import io.twostep.examples.compare.html.HtmlReport;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Maps the same buffers by every strategy on every stack, and says what each cost. */
@Command(
    name = "compare",
    description = {
      "Map the same buffers by every strategy on every stack, have a device read all of them, and say what each cost and which to choose.",
      "Exit status: 0 if every byte was read as it is, 1 if not, 2 for bad input."
    },
    mixinStandardHelpOptions = true)
final class CompareCommand extends CommandWork {
  private static final long MOST_IO_SIZE = 16L << 20;
  private static final long LEAST_COMPARED = 4096;
  private static final long MOST_COMPARED = 1L << 20;

  @Mixin
  private CompareSource source = new CompareSource();

  @Option(names = "--io-size", paramLabel = "SIZE", description = "Bytes of a request. Default: 128K.")
  private String ioSize = "128K";

  @Option(names = "--seed", paramLabel = "N", description = "Where made-up places come from. Default: 1.")
  private String seed = "1";

  @Option(names = "--rounds", paramLabel = "N", description = "Rounds in which times are taken; few are quick and inexact. Default: 9.")
  private String rounds = "9";

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Option(
      names = "--html",
      paramLabel = "OUT",
      description = {
        "Write a report with pictures to a file, request sizes from 4 KiB to 1 MiB compared too.",
        "What OUT held stays until the report is whole, but in a folder that is not writable OUT is written in place."
      })
  private @Nullable String html;

  @Override
  public Integer call() throws IOException {
    long bytes = Arguments.bytes("--io-size", ioSize, 512, MOST_IO_SIZE, 512);
    int times = Arguments.number("--rounds", rounds, 1, 1000);
    Path report = html == null ? null : Arguments.output(html);
    if (report != null) {
      source.requireOther(report);
    }
    PrintWriter out = out();
    StepLine progress = new StepLine(err());
    try (Comparing comparing = source.open(Arguments.seedNumber(seed), progress)) {
      Comparison result = comparing.run(bytes, Effort.of(times));
      progress.end();
      out.println(json ? CompareReport.json(result) : CompareReport.text(result));
      if (report != null) {
        WholeFile.write(report, HtmlReport.of(result, bySize(comparing, result.layout(), times), Environment.text()));
      }
    } finally {
      progress.end();
    }
    return CommandLineMain.DONE;
  }

  private static List<Comparison> bySize(Comparing comparing, Layout layout, int times) {
    List<Comparison> bySize = new ArrayList<>();
    for (long size = LEAST_COMPARED; size <= MOST_COMPARED && size <= layout.bytes(); size *= 2) {
      bySize.add(comparing.run(size, Effort.whenWarm(times)));
    }
    return bySize;
  }
}
