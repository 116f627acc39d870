package io.twostep.examples.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Boots a guest with an emulated IOMMU and controllers, and runs the driver in it through VFIO. */
@Command(
    name = "guest-test",
    description = {
      "Boot a guest with an emulated IOMMU, NVMe controllers and the edu device in QEMU, and run the driver in it through VFIO, unchanged. Needs root, and packages that it names.",
      "Exit status: 0 if everything passed, 1 if not, 3 if something is missing and nothing was run."
    },
    mixinStandardHelpOptions = true)
final class GuestTestCommand implements Callable<Integer> {
  @Option(names = "--bits", paramLabel = "LIST", description = "Address bits of the IOMMU, one boot for each: 48, 39 or both. Default: 48,39.")
  private String bits = "48,39";

  @Option(names = "--scenario", paramLabel = "TEXT", description = "Run only the scenarios whose name has this text in it, such as nvme. Default: all.")
  private String scenario = "";

  @Override
  public Integer call() throws IOException, InterruptedException {
    String home = System.getProperty("twostep.home", "");
    Path script = Path.of(home, "examples", "guest", "guest-test");
    if (home.isEmpty() || !Files.isExecutable(script)) {
      throw new BadInput("guest-test runs from a checkout, by its launcher ./twostep");
    }
    List<String> command = new ArrayList<>(List.of(script.toString(), System.getProperty("java.class.path"), System.getProperty("java.home")));
    if (!scenario.isBlank()) {
      command.addAll(List.of("--scenario", scenario));
    }
    for (String width : bits.split(",", -1)) {
      command.add(Arguments.choice("--bits", width.strip(), List.of("48", "39")));
    }
    return new ProcessBuilder(command).inheritIO().start().waitFor();
  }
}
