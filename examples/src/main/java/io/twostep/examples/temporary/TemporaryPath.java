package io.twostep.examples.temporary;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/** A file or a folder in the temporary folder that is deleted with all that is in it when closed, or when the JVM is told to end before that. Thread-safe. */
public final class TemporaryPath implements AutoCloseable {
  private static final Set<TemporaryPath> LEFT = ConcurrentHashMap.newKeySet();

  static {
    Runtime.getRuntime().addShutdownHook(new Thread(TemporaryPath::deleteLeft, "twostep-temporary-paths"));
  }

  private final Path path;

  private TemporaryPath(Path path) {
    this.path = path;
    LEFT.add(this);
  }

  /** Create an empty file. */
  public static TemporaryPath file(String prefix, String suffix) throws IOException {
    return new TemporaryPath(Files.createTempFile(prefix, suffix));
  }

  /** Create an empty folder. */
  public static TemporaryPath folder(String prefix) throws IOException {
    return new TemporaryPath(Files.createTempDirectory(prefix));
  }

  /** Return where it is. */
  public Path path() {
    return path;
  }

  @Override
  public void close() throws IOException {
    LEFT.remove(this);
    if (!Files.exists(path)) {
      return;
    }
    try (Stream<Path> all = Files.walk(path)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(each);
      }
    }
  }

  private static void deleteLeft() {
    for (TemporaryPath left : LEFT) {
      try {
        left.close();
      } catch (IOException | UncheckedIOException e) {
        // The JVM ends, and somebody else is at work in there; whoever cleans the temporary folder takes it.
      }
    }
  }
}
