package io.twostep.examples.cli;

import io.twostep.examples.nvme.PeerCopy;
import io.twostep.examples.nvme.PeerCopyResult;
import io.twostep.examples.nvme.PeerTree;
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

/** Copies a file between two NVMe controllers through the memory of one of them. */
@Command(
    name = "p2p",
    description = {
      "Copy FILE from one NVMe controller to another through the first one's memory, alone and with host memory in the same request, and tell how the second one"
          + " reaches it and why.",
      "Exit status: 0 if every byte arrived, 1 if not, 2 for bad input."
    },
    mixinStandardHelpOptions = true)
final class PeerCommand extends CommandWork {
  /** Stores beside the file: one on the first controller, two copies on the second. */
  private static final int STORES = 3;

  @Parameters(paramLabel = "FILE", description = "The file, of any size.")
  private String file = "";

  @Option(names = "--path", paramLabel = "NAME", description = "Where the controllers are: switch, host-bridge, acs or all. Default: all.")
  private String path = "all";

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    List<String> words = new ArrayList<>(PeerTree.texts());
    words.add("all");
    Arguments.choice("--path", path, words);
    List<PeerTree> trees = Arrays.stream(PeerTree.values()).filter(tree -> path.equals("all") || path.equals(tree.text())).toList();
    Path path = Arguments.file(file, STORES);
    List<PeerCopyResult> results = FileWork.on(path, () -> run(path, trees, err()));
    out().println(json ? PeerReport.json(results) : PeerReport.text(file, results));
    return PeerReport.isVerified(results) ? CommandLineMain.DONE : CommandLineMain.FAILED;
  }

  private static List<PeerCopyResult> run(Path file, List<PeerTree> trees, PrintWriter err) throws IOException {
    ProgressLine progress = new ProgressLine(err, Files.size(file), trees.size());
    try {
      List<PeerCopyResult> results = new ArrayList<>();
      for (PeerTree tree : trees) {
        results.add(PeerCopy.run(file, tree, progress.begin(tree.text())));
      }
      return results;
    } finally {
      progress.end();
    }
  }
}
