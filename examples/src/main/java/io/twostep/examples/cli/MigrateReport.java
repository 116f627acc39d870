package io.twostep.examples.cli;

import io.twostep.device.vfio.migrate.Progress;
import io.twostep.examples.migrate.MigrateOptions;
import io.twostep.examples.migrate.MigrateResult;
import java.util.List;
import java.util.Locale;

/** Says how a guest was moved, to programs and to people. */
final class MigrateReport {
  private static final double NANOS_PER_MILLI = 1e6;

  private MigrateReport() {}

  static String json(MigrateResult result) {
    Progress progress = result.progress();
    return new JsonText()
        .open('{')
        .member("command", "migrate")
        .member("verified", result.verified())
        .member("rounds", progress.rounds())
        .member("precopyBytes", progress.precopyBytes())
        .member("stopCopyBytes", progress.stopCopyBytes())
        .member("downtimeMillis", progress.downtimeNanos() / NANOS_PER_MILLI)
        .member("dirtyPagesSeen", progress.dirtyPages())
        .member("listBytesPerPage", result.listBytesPerPage())
        .member("iovaAllocations", result.iovaAllocations())
        .member("invalidations", result.invalidations())
        .member("aborted", result.aborted())
        .close('}')
        .toString();
  }

  static String text(MigrateOptions options, MigrateResult result) {
    Progress progress = result.progress();
    String end =
        result.aborted()
            ? (result.verified() ? "The migration was cancelled; the guest goes on where it was, and lost nothing." : "The migration was cancelled, and the guest at the source is DAMAGED.")
            : (result.verified() ? "The guest goes on at the destination: every page and every command is right." : "Pages or commands of the guest were LOST.");
    return String.join(
        System.lineSeparator(),
        List.of(
            String.format(Locale.ROOT, "guest            %,d bytes, %d devices told to write %,d bytes a second; %,d commands done", options.memoryBytes(), options.devices(), options.dirtyRate(), result.commands()),
            String.format(Locale.ROOT, "while it ran     %,d bytes in %d rounds; %,d pages were written meanwhile, noted by the %s", progress.precopyBytes(), progress.rounds(), progress.dirtyPages(), result.trackedBy()),
            String.format(Locale.ROOT, "standing still   %,d bytes; %s", progress.stopCopyBytes(), downtime(progress.downtimeNanos(), options)),
            String.format(Locale.ROOT, "device state     page lists of %.2f bytes a page", result.listBytesPerPage()),
            String.format(Locale.ROOT, "both machines    %,d ranges of I/O addresses, %,d invalidations", result.iovaAllocations(), result.invalidations()),
            "",
            end));
  }

  private static String downtime(long nanos, MigrateOptions options) {
    String times = String.format(Locale.ROOT, "%.3f ms, %.3f ms wanted", nanos / NANOS_PER_MILLI, options.downtimeNanos() / NANOS_PER_MILLI);
    if (options.aborts() || nanos <= options.downtimeNanos()) {
      return times;
    }
    return times + ": LONGER, since the devices write faster than this machine sends, or it was busy; try a lower --dirty-rate";
  }
}
