package io.twostep.examples.cli;

import io.twostep.examples.nvme.Comparison;
import io.twostep.examples.nvme.NvmeWorkload;
import io.twostep.examples.nvme.StackChoice;
import io.twostep.examples.nvme.Stacks;
import io.twostep.examples.nvme.Strategy;
import io.twostep.platform.Platform;
import io.twostep.platform.PluginListing;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Stores a file on an NVMe namespace and reads it back, by every stack and strategy asked for. */
@Command(
    name = "nvme",
    description = {
      "Store FILE on an NVMe namespace and read it back, by every mapping stack and strategy, and compare what came back.",
      "Exit status: 0 if every byte came back, 1 if not, 2 for bad input."
    },
    mixinStandardHelpOptions = true)
final class NvmeCommand extends CommandWork {
  private static final long MOST_IO_SIZE = 16L << 20;

  @Parameters(paramLabel = "FILE", description = "The file, of any size.")
  private String file = "";

  @Option(names = "--backends", paramLabel = "LIST", description = "One stack: layers, then a terminal, such as swiotlb,iommu. Default: every stack.")
  private @Nullable String backends;

  @Option(names = "--strategy", paramLabel = "NAME", description = "two-step, scatter-list, per-page or all. Default: all.")
  private String strategy = "all";

  @Option(names = "--granule", paramLabel = "SIZE", description = "Smallest page of the IOMMU, such as 4K or 64K. Default: the hardware's smallest.")
  private String granule = "";

  @Option(names = "--flush", paramLabel = "POLICY", description = "When the IOMMU invalidates: strict or lazy. Default: both, or strict for --backends.")
  private String flush = "";

  @Option(names = "--seed", paramLabel = "N", description = "Where the machine's randomness comes from; repeats a run.")
  private String seed = "";

  @Option(names = "--io-size", paramLabel = "SIZE", description = "Bytes of a request. Default: 128K.")
  private String ioSize = "128K";

  @Option(names = "--queue-depth", paramLabel = "N", description = "Requests outstanding in a queue. Default: 32.")
  private String queueDepth = "32";

  @Option(names = "--queues", paramLabel = "N", description = "I/O queue pairs. Default: 1.")
  private String queues = "1";

  @Option(names = "--machine", paramLabel = "NAME", description = "model, linux (with --device) or vfio-user (with --socket). Default: model.")
  private String machine = "model";

  @Option(names = "--device", paramLabel = "ADDRESS", description = "A controller of this computer, with --machine linux, such as 0000:00:03.0; see 'twostep devices'.")
  private String device = "";

  @Option(names = "--socket", paramLabel = "PATH", description = "A drive that another process serves there, with --machine vfio-user; see 'twostep serve'.")
  private String socket = "";

  @Option(names = "--yes-destroy-data", description = "Overwrite the beginning of the drive's first namespace, where it is not modelled.")
  private boolean destroy;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    PluginListing plugins = Platform.plugins();
    DriveChoice drive = new DriveChoice(machine, device, socket);
    NvmeWorkload work = workload(drive);
    List<Strategy> strategies = Arguments.strategies(strategy);
    List<StackChoice> stacks = drive.isModelled() ? stacks(plugins) : drive.stacks(backends, flush, granule);
    if (!drive.isModelled()) {
      drive.requireConsent(work, stacks.getFirst(), destroy);
    }
    Comparison result = FileWork.on(work.file(), () -> run(work, stacks, strategies, err()));
    out().println(json ? NvmeReport.json(file, result) : NvmeReport.table(file, result));
    return result.isVerified() ? CommandLineMain.DONE : CommandLineMain.FAILED;
  }

  private NvmeWorkload workload(DriveChoice drive) {
    long size = Arguments.bytes("--io-size", ioSize, NvmeWorkload.BLOCK, MOST_IO_SIZE, NvmeWorkload.BLOCK);
    int depth = Arguments.number("--queue-depth", queueDepth, 1, 1023);
    int pairs = Arguments.number("--queues", queues, 1, 64);
    return new NvmeWorkload(Arguments.file(file, 1), machine, drive.machineSettings(seed), drive.address(), size, depth, pairs);
  }

  private List<StackChoice> stacks(PluginListing plugins) {
    if (!flush.isEmpty()) {
      Arguments.choice("--flush", flush, List.of("strict", "lazy"));
    }
    if (!granule.isEmpty()) {
      long bytes = Arguments.bytes("--granule", granule, 512, 1L << 30, 512);
      if (Long.bitCount(bytes) != 1) {
        throw new BadInput("--granule is " + granule + "; it must be a power of two");
      }
    }
    String chosen = backends;
    if (chosen == null) {
      return Stacks.all(plugins.plugins(), flush, granule);
    }
    List<String> names = Arguments.words(chosen);
    if (!names.contains(Stacks.IOMMU) && !(flush + granule).isEmpty()) {
      throw new BadInput("--flush and --granule are for backend " + Stacks.IOMMU + ", which is not in the stack " + chosen + "; leave them out");
    }
    return List.of(Stacks.of(names, flush, granule));
  }

  private static Comparison run(NvmeWorkload work, List<StackChoice> stacks, List<Strategy> strategies, PrintWriter err) throws IOException {
    ProgressLine progress = new ProgressLine(err, Files.size(work.file()), stacks.size() * strategies.size());
    try {
      return Comparison.run(work, stacks, strategies, (stack, strategy) -> progress.begin(stack.label() + ", " + strategy.text()));
    } finally {
      progress.end();
    }
  }
}
