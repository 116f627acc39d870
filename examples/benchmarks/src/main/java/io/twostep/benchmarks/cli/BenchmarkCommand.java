package io.twostep.benchmarks.cli;

import io.twostep.benchmarks.flow.CheckerCost;
import io.twostep.benchmarks.flow.Flows;
import io.twostep.benchmarks.flow.RdmaFigures;
import io.twostep.benchmarks.flow.Turns;
import io.twostep.benchmarks.growth.Growth;
import io.twostep.examples.cli.BadInput;
import io.twostep.examples.cli.CommandWork;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Measures what mapping costs on this machine. */
@Command(
    name = "benchmark",
    description = {
      "Measure what mapping costs on this machine: every flow in a JVM of its own, or the JMH benchmarks.",
      "Exit status: 0 if everything was measured, 1 if not, 2 for bad input."
    },
    mixinStandardHelpOptions = true)
final class BenchmarkCommand extends CommandWork {
  private static final int CHECKED_PAGES = 64;

  @Parameters(arity = "0..1", paramLabel = "FILTER", description = "Part of a flow's name, or a regular expression for JMH. Default: everything.")
  private String filter = "";

  @Option(names = "--flows", description = "Measure the flows that are compared with the kernel's C, by the same names.")
  private boolean flows;

  @Option(names = "--after-all", description = "With --flows: measure each also in a JVM that has run every other flow.")
  private boolean afterAll;

  @Option(names = "--growth", description = "Measure how cost grows: with requests, live, threads, age, memory; FILTER is part of such a name.")
  private boolean growth;

  @Option(names = "--checker", description = "Measure what the counting part of the checker adds to requests of 64 pages, with and without it in turns.")
  private boolean checker;

  @Option(names = "--rdma", description = "Measure on-demand memory against page by page, and 8 GiB registered with and without a peer's page, each two in turns.")
  private boolean rdma;

  @Option(names = "--out", paramLabel = "FOLDER", description = "With --growth: where tables and pictures go. Default: growth.")
  private @Nullable String folder;

  @Option(names = "--json", description = "Print one JSON object per case and line.")
  private boolean json;

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (afterAll && (json || !flows)) {
      throw new BadInput("--after-all adds a column to the table of --flows; leave --json out, and give --flows");
    }
    if (rdma && (growth || flows || checker || !filter.isEmpty())) {
      throw new BadInput("--rdma measures two pairs; leave --growth, --flows, --checker and FILTER out");
    }
    if (folder != null && !growth) {
      throw new BadInput("--out is where --growth writes; add --growth, or leave it out");
    }
    if (growth && (flows || json)) {
      throw new BadInput("--growth writes tables and pictures; leave --flows and --json out");
    }
    if (checker && (flows || growth || !filter.isEmpty())) {
      throw new BadInput("--checker measures one thing; leave --flows, --growth and FILTER out");
    }
    PrintWriter out = out();
    PrintWriter err = err();
    if (checker) {
      new CheckerReport(out, json).print(CheckerCost.measure(CHECKED_PAGES, CheckerCost.FULL));
      return 0;
    }
    if (rdma) {
      RdmaFigures figures = RdmaFigures.measure(Turns.FULL);
      out.println(json ? RdmaFiguresReport.json(figures) : RdmaFiguresReport.text(figures));
      return 0;
    }
    if (growth) {
      List<Growth> chosen = studies();
      new GrowthReport(out, err, outputFolder()).run(chosen);
      return 0;
    }
    if (!flows) {
      new JmhReport(out, err, json).run(filter);
      return 0;
    }
    List<Flows> chosen = Arrays.stream(Flows.values()).filter(flow -> flow.text().contains(filter)).toList();
    if (chosen.isEmpty()) {
      throw new BadInput("no flow is called '" + filter + "'; there are " + Arrays.stream(Flows.values()).map(Flows::text).toList());
    }
    new FlowReport(out, err, json, afterAll).run(chosen);
    return 0;
  }

  private Path outputFolder() {
    String name = folder == null ? "growth" : folder;
    try {
      Path path = Path.of(name);
      if (Files.exists(path) && !Files.isDirectory(path)) {
        throw new BadInput(name + " is a file; --out must be a folder");
      }
      Files.createDirectories(path);
      if (!Files.isWritable(path)) {
        throw new BadInput("nothing can be written into " + name + "; choose another --out");
      }
      return path;
    } catch (InvalidPathException e) {
      throw new BadInput("'" + name + "' is no path: " + e.getReason());
    } catch (IOException e) {
      throw new BadInput("the folder " + name + " cannot be made; choose another --out");
    }
  }

  private List<Growth> studies() {
    List<Growth> chosen = Arrays.stream(Growth.values()).filter(growth -> growth.text().contains(filter)).toList();
    if (chosen.isEmpty()) {
      throw new BadInput("no study is called '" + filter + "'; there are " + Arrays.stream(Growth.values()).map(Growth::text).toList());
    }
    return chosen;
  }
}
