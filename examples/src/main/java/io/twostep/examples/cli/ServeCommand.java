package io.twostep.examples.cli;

import io.twostep.examples.serve.NvmeServer;
import io.twostep.machine.linux.vfiouser.server.VfioUserServer;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Serves a device model over a UNIX socket until it is told to stop. */
@Command(
    name = "serve",
    description = {
      "Serve a device model over a UNIX socket, by the vfio-user protocol: one client after another, until the process is told to stop (Ctrl-C, SIGTERM).",
      "A FILE is the drive: what clients write is written to it. Without one the drive is memory, and gone at the end.",
      "Exit status: that of the signal that ended it, 1 if serving failed, 2 for bad input."
    },
    mixinStandardHelpOptions = true)
final class ServeCommand extends CommandWork {
  private static final List<String> DEVICES = List.of("nvme");

  @Parameters(paramLabel = "DEVICE", description = "What to serve: nvme.")
  private String device = "";

  @Option(names = "--socket", paramLabel = "PATH", required = true, description = "Path of the socket; one that a dead server left is replaced.")
  private String socket = "";

  @Option(names = "--file", paramLabel = "FILE", description = "Blocks of a namespace, whole blocks of 512 bytes; may be given several times.")
  private List<String> files = List.of();

  @Option(names = "--size", paramLabel = "SIZE", description = "Bytes of a namespace in memory, where no FILE is given. Default: 1G.")
  private @Nullable String size;

  @Override
  public Integer call() {
    Arguments.choice("DEVICE", device, DEVICES);
    if (size != null && !files.isEmpty()) {
      throw new BadInput("--size is for a drive in memory; a FILE has a size of its own; leave one of them out");
    }
    long bytes = Arguments.bytes("--size", size == null ? "1G" : size, NvmeServer.BLOCK, 1L << 40, NvmeServer.BLOCK);
    List<Path> drives = files.stream().map(file -> Arguments.file(file, 0)).toList();
    try (NvmeServer server = NvmeServer.listen(socket(socket), drives, bytes)) {
      out().println(Printable.of(server.description()));
      server.serveUntilTold();
    }
    return CommandLineMain.DONE;
  }

  private static Path socket(String text) {
    Path path = Arguments.path(text);
    Path folder = path.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder) || Files.isDirectory(path)) {
      throw new BadInput("--socket is " + text + "; it must name a socket in a folder that is there");
    }
    if (Files.exists(path, LinkOption.NOFOLLOW_LINKS) && !VfioUserServer.isSocket(path)) {
      throw new BadInput("--socket is " + text + ", which is there and is no socket; choose another path");
    }
    return path;
  }
}
