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
  private final Path file;
  private final FileChannel channel;
  private long length;

  /** Begin a new, empty spool. */
  public FileSpool(Path file) throws IOException {
    this.file = file.toAbsolutePath();
    channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
  }

  /** Open a spool to start a guest from. */
  public static ReadableByteChannel open(Path file) throws IOException {
    return FileChannel.open(file, StandardOpenOption.READ);
  }

  @Override
  public void append(ByteBuffer bytes) throws IOException {
    DurableFiles.write(channel, bytes, length);
    length += bytes.remaining();
  }

  /** The name too: a spool that is not found is no better than none. */
  @Override
  public void force() throws IOException {
    channel.force(true);
    DurableFiles.forceFolder(file);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
