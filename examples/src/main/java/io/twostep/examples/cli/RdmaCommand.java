package io.twostep.examples.cli;

import io.twostep.examples.rdma.RdmaMode;
import io.twostep.examples.rdma.RdmaResult;
import io.twostep.examples.rdma.RdmaTransfer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Moves a file between two hosts by RDMA while its memory comes and goes. */
@Command(
    name = "rdma",
    description = {
      "Move FILE by RDMA from a process of one modelled host to a process of another and back, while another thread migrates, forks, swaps out and unmaps pages of both.",
      "Exit status: 0 if every byte arrived and came back, 1 if not, 2 for bad input."
    },
    mixinStandardHelpOptions = true)
final class RdmaCommand extends CommandWork {
  /** A page event takes about as long as moving this much. */
  private static final long BYTES_PER_EVENT = 4096;

  @Parameters(paramLabel = "FILE", description = "The file, of any size.")
  private String file = "";

  @Option(names = "--mode", paramLabel = "NAME", description = "How the adapters know the memory: pinned, odp (on demand), implicit or all. Default: all.")
  private String mode = "all";

  @Option(
      names = "--churn",
      paramLabel = "N",
      description = "Page events to go through in each run; the file is moved over and over until then. 0: leave the pages alone. Default: 10000.")
  private String churn = "10000";

  @Option(names = "--seed", paramLabel = "N", description = "Where the random changes of pages come from. Default: 1.")
  private String seed = "1";

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    List<String> words = new ArrayList<>(RdmaMode.texts());
    words.add("all");
    Arguments.choice("--mode", mode, words);
    long events = Arguments.number("--churn", churn, 0, Integer.MAX_VALUE);
    long drawn = Arguments.seedNumber(seed);
    List<RdmaMode> modes = Arrays.stream(RdmaMode.values()).filter(each -> mode.equals("all") || mode.equals(each.text())).toList();
    Path path = Arguments.readable(file);
    List<RdmaResult> results = FileWork.on(path, () -> run(path, modes, events, drawn, err()));
    out().println(json ? RdmaReport.json(results) : RdmaReport.text(file, results));
    return RdmaReport.isVerified(results) ? CommandLineMain.DONE : CommandLineMain.FAILED;
  }

  private static List<RdmaResult> run(Path file, List<RdmaMode> modes, long events, long seed, PrintWriter err) throws IOException {
    long size = Files.size(file);
    String unit = RdmaTransfer.countsEvents(size, events) ? "page events" : "bytes";
    ProgressLine progress = new ProgressLine(err, Math.max(size, events * BYTES_PER_EVENT), modes.size());
    try {
      List<RdmaResult> results = new ArrayList<>();
      for (RdmaMode each : modes) {
        results.add(RdmaTransfer.run(file, each, events, seed, progress.begin(each.text(), unit)));
      }
      return results;
    } finally {
      progress.end();
    }
  }
}
