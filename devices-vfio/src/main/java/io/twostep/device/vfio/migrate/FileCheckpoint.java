package io.twostep.device.vfio.migrate;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/** A checkpoint in a file: written beside it, forced to the disk, and renamed over the one before. Takes as much space as the migration sends. Used by one thread. */
public final class FileCheckpoint implements Checkpoint, Closeable {
  private final Path file;
  private FileChannel channel;
  private long length;
  private boolean renamed;
  private boolean closed;

  /** Begin a checkpoint that will take the place of what is in {@code file}, if anything. */
  public FileCheckpoint(Path file) throws IOException {
    this.file = file.toAbsolutePath();
    channel = FileChannel.open(DurableFiles.next(this.file), StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
  }

  /** Open what was published, to start a guest from; null if nothing was. */
  public static @Nullable ReadableByteChannel open(Path file) throws IOException {
    return Files.exists(file) ? FileChannel.open(file, StandardOpenOption.READ) : null;
  }

  /** Return what to write to: whoever interrupts a thread that writes closes the channel, and not the checkpoint. */
  private FileChannel open() throws IOException {
    if (!channel.isOpen() && !closed) {
      channel = FileChannel.open(renamed ? file : DurableFiles.next(file), StandardOpenOption.WRITE);
    }
    return channel;
  }

  @Override
  public void append(ByteBuffer bytes) throws IOException {
    DurableFiles.write(open(), bytes, length);
    length += bytes.remaining();
  }

  @Override
  public void force() throws IOException {
    open().force(true);
  }

  @Override
  public void publish() throws IOException {
    if (!renamed) {
      open().truncate(length);
      channel.force(true);
      DurableFiles.rename(file);
      renamed = true;
    }
    DurableFiles.forceFolder(file);
  }

  /** Let go of the file, and remove what was not published. */
  @Override
  public void close() throws IOException {
    closed = true;
    channel.close();
    if (!renamed) {
      Files.deleteIfExists(DurableFiles.next(file));
    }
  }
}
