package io.twostep.examples.temporary;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A file or a folder in the temporary folder that is deleted with all that is in it when closed, or when the JVM is told to end before that. Thread-safe.
 *
 * <p>A file lies in a folder of its own: once that is gone, nobody who still works with the file's path makes it anew.
 */
public final class TemporaryPath implements AutoCloseable {
  /** How often a folder is cleared, at the end, in which somebody still makes files. */
  private static final int MOST_CLEARINGS = 1000;

  /** What is to be deleted; guarded by itself, as is whether the end has begun. */
  private static final Set<TemporaryPath> LEFT = new HashSet<>();

  private static boolean ending;

  static {
    Runtime.getRuntime().addShutdownHook(new Thread(TemporaryPath::deleteLeft, "twostep-temporary-paths"));
  }

  private final Path folder;
  private final Path path;

  private TemporaryPath(Path folder, Path path) {
    this.folder = folder;
    this.path = path;
  }

  /** Create an empty file in a folder whose name begins with {@code prefix} and this process's id. */
  public static TemporaryPath file(String prefix, String name) throws IOException {
    TemporaryPath made = make(prefix, name);
    try {
      Files.createFile(made.path);
      return made;
    } catch (IOException e) {
      made.close();
      throw e;
    }
  }

  /** Create an empty folder whose name begins with {@code prefix} and this process's id. */
  public static TemporaryPath folder(String prefix) throws IOException {
    return make(prefix, "");
  }

  private static TemporaryPath make(String prefix, String name) throws IOException {
    synchronized (LEFT) {
      if (ending) {
        throw new IOException("this process was told to end");
      }
      Path folder = Files.createTempDirectory(prefix + ProcessHandle.current().pid() + "-");
      TemporaryPath made = new TemporaryPath(folder, folder.resolve(name));
      LEFT.add(made);
      return made;
    }
  }

  /** Return where it is. */
  public Path path() {
    return path;
  }

  @Override
  public void close() throws IOException {
    synchronized (LEFT) {
      LEFT.remove(this);
    }
    delete();
  }

  private void delete() throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(each);
      }
    }
  }

  private static void deleteLeft() {
    List<TemporaryPath> left;
    synchronized (LEFT) {
      ending = true;
      left = new ArrayList<>(LEFT);
    }
    left.forEach(TemporaryPath::deleteAtEnd);
  }

  /** Delete while somebody may still be at work in there. */
  private void deleteAtEnd() {
    for (int i = 0; i < MOST_CLEARINGS && Files.exists(folder); i++) {
      try {
        delete();
      } catch (IOException | UncheckedIOException e) {
        // Something was made or deleted in the meantime; or nobody may delete it, and whoever cleans the temporary folder takes it.
      }
    }
  }
}
