package io.twostep.examples.cli;

import io.twostep.examples.capture.Capture;
import io.twostep.examples.capture.Captured;
import io.twostep.examples.compare.Layout;
import io.twostep.examples.compare.LayoutCsv;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Writes down where memory really lies, for {@code compare}. */
@Command(
    name = "capture",
    description = {
      "Find the physical addresses of a file mapped into memory, of new memory or of a process's buffers, and write them as a layout for 'twostep compare --layout'.",
      "Needs Linux, and CAP_SYS_ADMIN (root, unless in a container without it): others are told frame 0 for every page.",
      "Another user's process needs CAP_SYS_PTRACE too. Pages may move afterwards; nothing is pinned.",
      "Exit status: 0 if the layout was written, 2 for bad input or a missing privilege."
    },
    mixinStandardHelpOptions = true)
final class CaptureCommand extends CommandWork {
  private static final Pattern RANGE = Pattern.compile("(?:0x)?([0-9a-fA-F]{1,16})-(?:0x)?([0-9a-fA-F]{1,16})");

  @Option(names = "--file", paramLabel = "FILE", description = "A file, mapped into memory and read.")
  private @Nullable String file;

  @Option(names = "--allocate", paramLabel = "SIZE", description = "New memory of this process, written to.")
  private @Nullable String allocate;

  @Option(names = "--pid", paramLabel = "PID", description = "A process: its writable memory that belongs to no file, up to 1 GiB.")
  private @Nullable String pid;

  @Option(names = "--mapping", paramLabel = "NAME", description = "With --pid: instead, what is mapped under a name that contains NAME.")
  private @Nullable String mapping;

  @Option(names = "--address", paramLabel = "START-END", description = "With --pid: instead, these addresses, in hexadecimal, as /proc/PID/maps shows them.")
  private @Nullable String address;

  @Option(
      names = {"-o", "--out"},
      paramLabel = "OUT",
      description = {"The file to write. Default: to standard output.", "What OUT held stays until the layout is whole, but in a folder that is not writable OUT is written in place."})
  private @Nullable String out;

  @Option(names = "--json", description = "With -o: print one JSON object about what was written.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    check();
    if (!Files.exists(Path.of("/proc/self/pagemap"))) {
      throw new BadInput("this system has no /proc/self/pagemap; capture needs Linux with a page map");
    }
    Path written = out == null ? null : Arguments.output(out);
    if (written != null && file != null) {
      Arguments.requireOther(written, Arguments.readable(file));
    }
    String source = source();
    Captured found = found(source);
    String layout = text(source, found);
    if (written == null) {
      out().print(layout);
      out().flush();
      return CommandLineMain.DONE;
    }
    WholeFile.write(written, layout);
    out().println(json ? json(source, found, written.toString()) : Printable.of(summary(source, found) + ", written to " + written));
    return CommandLineMain.DONE;
  }

  private void check() {
    if ((file == null ? 0 : 1) + (allocate == null ? 0 : 1) + (pid == null ? 0 : 1) != 1) {
      throw new BadInput("give one of --file FILE, --allocate SIZE and --pid PID");
    }
    if ((pid == null && (mapping != null || address != null)) || (mapping != null && address != null)) {
      throw new BadInput("--mapping and --address choose memory of --pid PID; give one of them, with --pid");
    }
    if (json && out == null) {
      throw new BadInput("--json tells of the file that -o OUT names; give -o too");
    }
  }

  private String source() {
    if (file != null) {
      return "file " + file;
    }
    return allocate != null ? "new memory of " + allocate : "process " + pid + (mapping != null ? ", mapping " + mapping : address != null ? ", " + address : "");
  }

  private Captured found(String source) throws IOException {
    Captured found;
    try {
      found = read();
    } catch (AccessDeniedException e) {
      throw new BadInput(source + ": " + e.getMessage() + " may not be read; it needs the rights to trace that process (same user, or CAP_SYS_PTRACE), and CAP_SYS_ADMIN for addresses");
    } catch (FileSystemException | EOFException e) {
      if (pid == null) {
        throw e;
      }
      throw new BadInput(source + ": " + e.getMessage() + "; it ended, or is a thread of the kernel, or has no memory there");
    }
    if (found.isHidden()) {
      throw new BadInput(
          source + ": the kernel hides physical addresses, it shows frame 0 for every page; run as root or with CAP_SYS_ADMIN (found without it: " + pages(found) + ")");
    }
    if (found.runs().isEmpty()) {
      throw new BadInput(source + ": nothing of it is in memory (found: " + pages(found) + ")");
    }
    return found;
  }

  private Captured read() throws IOException {
    if (file != null) {
      Path path = Arguments.readable(file);
      long size = Files.size(path);
      if (size < 1 || size > Layout.MOST_BYTES) {
        throw new BadInput(file + " has " + size + " bytes; it must have from 1 to " + Layout.MOST_BYTES);
      }
      return Capture.file(path);
    }
    if (allocate != null) {
      return Capture.allocated(Arguments.bytes("--allocate", allocate, 1, Layout.MOST_BYTES, 1));
    }
    long process = Arguments.number("--pid", String.valueOf(pid), 1, Integer.MAX_VALUE);
    if (!Files.exists(Path.of("/proc", Long.toString(process)))) {
      throw new BadInput("there is no process " + process);
    }
    if (address == null) {
      return Capture.process(process, mapping == null ? "" : mapping, Layout.MOST_BYTES, Layout.MOST_RANGES);
    }
    Matcher range = RANGE.matcher(address);
    if (!range.matches()) {
      throw new BadInput("--address is '" + address + "'; it must be START-END in hexadecimal, such as 7f0000000000-7f0000200000");
    }
    long start = Long.parseUnsignedLong(range.group(1), 16);
    long length = Long.parseUnsignedLong(range.group(2), 16) - start;
    if (start < 0 || length < 1 || length > Layout.MOST_BYTES) {
      throw new BadInput("--address is " + address + "; END must be from 1 to " + Layout.MOST_BYTES + " bytes behind START, in the lower half of the addresses");
    }
    return Capture.process(process, start, length);
  }

  private static String pages(Captured found) {
    return found.present() + " pages in memory, " + found.swapped() + " swapped out, " + found.absent() + " never touched or given back";
  }

  private static String summary(String source, Captured found) {
    return source + ": " + found.bytes() + " bytes in " + found.runs().size() + " ranges, " + pages(found);
  }

  private static String text(String source, Captured found) {
    StringBuilder text = new StringBuilder("# twostep capture, ").append(Printable.of(summary(source, found))).append('\n');
    text.append(LayoutCsv.HEADER).append('\n');
    for (Captured.Run run : found.runs()) {
      text.append("0x").append(Long.toHexString(run.phys())).append(',').append(run.length()).append('\n');
    }
    return text.toString();
  }

  private static String json(String source, Captured found, String written) {
    return new JsonText()
        .open('{')
        .member("command", "capture")
        .member("source", source)
        .member("ranges", found.runs().size())
        .member("bytes", found.bytes())
        .member("pagesInMemory", found.present())
        .member("pagesSwappedOut", found.swapped())
        .member("pagesAbsent", found.absent())
        .member("out", written)
        .close('}')
        .toString();
  }
}
