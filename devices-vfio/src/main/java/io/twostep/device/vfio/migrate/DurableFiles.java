package io.twostep.device.vfio.migrate;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** Changes files so that a crash leaves the old one or the new one. */
final class DurableFiles {
  private DurableFiles() {}

  /** Return the file beside {@code file} that a new version is written to. */
  static Path next(Path file) {
    return file.resolveSibling(file.getFileName() + ".next");
  }

  /** Write all bytes at a place; the buffer is as before afterwards. */
  static void write(FileChannel channel, ByteBuffer bytes, long position) throws IOException {
    ByteBuffer all = bytes.duplicate();
    long start = position - all.position();
    while (all.hasRemaining()) {
      channel.write(all, start + all.position());
    }
  }

  /** Rename {@link #next}, which was forced, over {@code file}; the name is not durable before {@link #forceFolder}. */
  static void rename(Path file) throws IOException {
    Files.move(next(file), file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /** Make the names in the folder of a file durable; the path is absolute. */
  static void forceFolder(Path file) throws IOException {
    Path folder = file.getParent();
    if (folder != null) {
      try (FileChannel entries = FileChannel.open(folder, StandardOpenOption.READ)) {
        entries.force(true);
      }
    }
  }
}
