package io.twostep.examples.serve;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/** Files locked against whoever else would serve them: two controllers would write over each other's blocks. The locks go with the process, however it ends. */
final class ServedFiles implements AutoCloseable {
  private final List<FileChannel> locked = new ArrayList<>();

  private ServedFiles() {}

  /**
   * Lock files, after everybody in this process has opened and closed them: closing any channel of a file ends the process's lock of it.
   *
   * @throws IllegalArgumentException naming the file that is locked already; then none is
   */
  static ServedFiles lock(List<Path> files) {
    ServedFiles served = new ServedFiles();
    try {
      files.forEach(served::add);
      return served;
    } catch (RuntimeException e) {
      served.close();
      throw e;
    }
  }

  private void add(Path file) {
    try {
      FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
      locked.add(channel);
      if (!tryLock(channel)) {
        throw new IllegalArgumentException(file + " is served already; give each drive a file of its own");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + " cannot be locked", e);
    }
  }

  private static boolean tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      return false;
    }
  }

  @Override
  public void close() {
    for (FileChannel channel : locked) {
      try {
        channel.close();
      } catch (IOException e) {
        // The lock goes with the process.
      }
    }
  }
}
