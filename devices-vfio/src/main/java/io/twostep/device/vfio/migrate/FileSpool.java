package io.twostep.device.vfio.migrate;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A spool in a file. */
public final class FileSpool implements Spool, Closeable {
  private final FileChannel channel;

  /** Begin a new, empty spool. */
  public FileSpool(Path file) throws IOException {
    channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
  }

  /** Open a spool to start a guest from. */
  public static ReadableByteChannel open(Path file) throws IOException {
    return FileChannel.open(file, StandardOpenOption.READ);
  }

  @Override
  public void append(ByteBuffer bytes) throws IOException {
    ByteBuffer all = bytes.duplicate();
    while (all.hasRemaining()) {
      channel.write(all);
    }
  }

  @Override
  public void force() throws IOException {
    channel.force(true);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
