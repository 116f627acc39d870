package io.twostep.examples.cli;

import io.twostep.examples.migrate.LiveMigration;
import io.twostep.examples.migrate.MigrateOptions;
import io.twostep.examples.migrate.MigrateResult;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Moves a guest whose devices never rest from one modelled machine to another. */
@Command(
    name = "migrate",
    description = {
      "Move a guest whose devices write all the time from one modelled machine to another over a socket, let it go on there, and compare every page and every command.",
      "Exit status: 0 if nothing was lost, 1 if something was, 2 for bad input."
    },
    mixinStandardHelpOptions = true)
final class MigrateCommand extends CommandWork {
  private static final long LEAST_MEMORY = 4L << 20;
  private static final long MOST_MEMORY = 64L << 30;
  private static final long MOST_RATE = 64L << 30;
  private static final int MOST_DEVICES = 8;

  @Option(names = "--memory", paramLabel = "SIZE", description = "The guest's memory, whole pages of 4 KiB. Default: 1G.")
  private String memory = "1G";

  @Option(names = "--dirty-rate", paramLabel = "SIZE", description = "Bytes a second that the devices are told to write, all together. Default: 200M.")
  private String dirtyRate = "200M";

  @Option(names = "--downtime", paramLabel = "TIME", description = "How long the guest may stand still: 50ms, 1s, 500us. Default: 50ms.")
  private String downtime = "50ms";

  @Option(names = "--devices", paramLabel = "NUMBER", description = "Devices that the guest has, 1 to 8. Default: 2.")
  private String devices = "2";

  @Option(
      names = "--abort-at",
      paramLabel = "PERCENT",
      description = "Cancel when this much of the memory was sent, 100 for when the guest stands still, and show that the guest goes on where it was.")
  private @Nullable String abortAt;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    int count = Arguments.number("--devices", devices, 1, MOST_DEVICES);
    MigrateOptions options =
        new MigrateOptions(
            Arguments.bytes("--memory", memory, LEAST_MEMORY, MOST_MEMORY, 4096),
            Arguments.bytes("--dirty-rate", dirtyRate, 0, MOST_RATE, 1),
            Arguments.nanos("--downtime", downtime),
            count,
            abortAt == null ? -1 : Arguments.number("--abort-at", abortAt, 0, 100));
    MigrateResult result = run(options, err());
    out().println(json ? MigrateReport.json(result) : MigrateReport.text(options, result));
    return result.verified() ? CommandLineMain.DONE : CommandLineMain.FAILED;
  }

  private static MigrateResult run(MigrateOptions options, PrintWriter err) {
    ProgressLine progress = new ProgressLine(err, options.memoryBytes(), 1);
    try {
      long room = Files.getFileStore(Arguments.temporaryFolder()).getUsableSpace();
      long needed = LiveMigration.temporaryBytes(options.memoryBytes());
      if (room < needed) {
        throw new BadInput("no space for the memory of two machines (" + needed + " bytes) in " + Arguments.temporaryFolder() + ", which has " + room + ": " + Arguments.ANOTHER_FOLDER);
      }
      return LiveMigration.run(options, progress.begin("migration", "pages"));
    } catch (IOException e) {
      throw new BadInput("the temporary folder or the loopback cannot be used: " + Reason.of(e));
    } finally {
      progress.end();
    }
  }
}
