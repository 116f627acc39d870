package io.twostep.machine.linux.vfiouser;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeMap;
import java.util.stream.Stream;

/** What of the kinds that this package makes is open in this process: sockets, eventfds, memory files and their mappings. */
public final class OpenFiles {
  private OpenFiles() {}

  public static TreeMap<String, Integer> count() {
    TreeMap<String, Integer> counts = new TreeMap<>();
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      open.forEach(each -> {
        String kind = kind(each);
        if (!kind.isEmpty()) {
          counts.merge(kind, 1, Integer::sum);
        }
      });
      for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
        if (line.contains("/memfd:")) {
          counts.merge("mapping", 1, Integer::sum);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return counts;
  }

  private static String kind(Path link) {
    try {
      String target = Files.readSymbolicLink(link).toString();
      return target.startsWith("socket:") ? "socket" : target.contains("[eventfd]") ? "eventfd" : target.startsWith("/memfd:") ? "memfd" : "";
    } catch (IOException e) {
      return "";
    }
  }
}
