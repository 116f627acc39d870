package io.twostep.examples.cli;

import io.twostep.examples.temporary.AtEnd;
import io.twostep.examples.temporary.TemporaryPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Boots a guest with an emulated IOMMU and controllers, and runs the driver in it through VFIO. */
@Command(
    name = "guest-test",
    description = {
      "Boot a guest with an emulated IOMMU, NVMe controllers and the edu device in QEMU, and run the driver in it through VFIO, unchanged. Needs root, and packages that it names.",
      "Exit status: 0 if everything passed, 1 if not, 2 for bad input, 3 if something is missing and nothing was run."
    },
    mixinStandardHelpOptions = true)
final class GuestTestCommand extends CommandWork {
  @Option(names = "--bits", paramLabel = "LIST", description = "Address bits of the IOMMU, one boot for each: 48, 39 or both. Default: 48,39; 48 for figures.")
  private @Nullable String bits;

  @Option(names = "--scenario", paramLabel = "TEXT", description = "Run only the scenarios whose name has this text in it, such as nvme. Default: all.")
  private String scenario = "";

  @Option(
      names = "--figures",
      description = "Measure instead: random reads by the kernel's driver, asked by fio, and by this one, and what mapping costs. Takes some ten minutes, and a quiet computer.")
  private boolean figures;

  @Option(names = "--json", description = "Print the figures as one JSON object; everything else goes to the error output.")
  private boolean json;

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (json && !figures) {
      throw new BadInput("--json prints figures; add --figures");
    }
    if (figures && !scenario.isBlank()) {
      throw new BadInput("--figures measures and --scenario proves; give one");
    }
    List<String> widths = new ArrayList<>();
    for (String width : Arguments.words(bits != null ? bits : figures ? "48" : "48,39")) {
      widths.add(Arguments.choice("--bits", width, List.of("48", "39")));
    }
    if (figures && widths.size() != 1) {
      throw new BadInput("figures are taken in one boot; give one width with --bits");
    }
    try (TemporaryPath measured = TemporaryPath.file("twostep-figures-", "figures.json")) {
      int status = boot(widths, measured.path());
      if (json && status == CommandLineMain.DONE) {
        out().println(Files.readString(measured.path()).strip());
      }
      return status;
    }
  }

  private int boot(List<String> widths, Path measured) throws IOException, InterruptedException {
    String home = System.getProperty("twostep.home", "");
    Path folder = Path.of(home, "examples", "guest");
    Path script = folder.resolve("guest-test");
    Path libraries = folder.resolve("target/guest.classpath");
    if (home.isEmpty() || !Files.isExecutable(script) || !Files.exists(libraries)) {
      throw new BadInput("guest-test runs from a checkout, by its launcher ./twostep");
    }
    String classPath = folder.resolve("target/classes") + ":" + Files.readString(libraries).strip();
    List<String> command = new ArrayList<>(List.of(script.toString(), classPath, System.getProperty("java.home")));
    if (figures) {
      command.addAll(List.of("--figures", measured.toString()));
    } else if (!scenario.isBlank()) {
      command.addAll(List.of("--scenario", scenario));
    }
    command.addAll(widths);
    ProcessBuilder guest = new ProcessBuilder(command).inheritIO();
    if (json) {
      guest.redirectOutput(Path.of("/dev/stderr").toFile());
    }
    try (AtEnd _ = AtEnd.run("end of the guest", GuestTestCommand::endTheGuest)) {
      return guest.start().waitFor();
    }
  }

  /** End the script before what it started, so that it starts nothing else. */
  private static void endTheGuest() {
    ProcessHandle command = ProcessHandle.current();
    List<ProcessHandle> started = command.descendants().toList();
    command.children().forEach(ProcessHandle::destroy);
    started.forEach(ProcessHandle::destroy);
  }
}
