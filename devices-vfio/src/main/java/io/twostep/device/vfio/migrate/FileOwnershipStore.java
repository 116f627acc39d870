package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.migrate.Ownership.Side;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.CRC32C;

/**
 * Keeps ownership in a file that both sides reach. The record is replaced by renaming a new file, forced to the disk, over the old one, under the lock of a third: after a crash it is the old one or the new one.
 *
 * <p>Locks have to work where the file is. A record whose checksum is wrong is never acted on.
 */
public final class FileOwnershipStore implements OwnershipStore {
  private static final int BYTES = 32;
  private static final long PAUSE_NANOS = 1_000_000;

  private final Path file;
  private final Path lock;
  private final Names names;

  /** A change may have its name only until the next crash: nobody is told of it before the name is durable. */
  private volatile boolean undurable;

  /** Makes the names in the folder of a file durable. */
  @FunctionalInterface
  interface Names {
    void force(Path file) throws IOException;
  }

  /** Use a file; {@link #create} makes it. */
  public FileOwnershipStore(Path file) {
    this(file, DurableFiles::forceFolder);
  }

  FileOwnershipStore(Path file, Names names) {
    this.names = names;
    this.file = file.toAbsolutePath();
    lock = this.file.resolveSibling(this.file.getFileName() + ".lock");
  }

  /** Make the file, for a guest that runs where it always did; does nothing if it is there. */
  public void create() throws IOException {
    try (FileTurn _ = FileTurn.at(lock);
        FileChannel held = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock exclusive = lock(held)) {
      if (exclusive.isValid() && !Files.exists(file)) {
        replace(Ownership.INITIAL);
      }
    }
  }

  @Override
  public Ownership read() throws IOException {
    ByteBuffer record = ByteBuffer.wrap(Files.readAllBytes(file));
    if (record.remaining() != BYTES || record.getInt(BYTES - 4) != crc(record) || record.getInt(16) >>> 1 != 0) {
      throw new IOException(file + " is damaged: no side may run the guest until it is known which one holds it; restore the file");
    }
    if (undurable) {
      names.force(file);
    }
    return new Ownership(record.getLong(0), record.getInt(16) == 0 ? Side.SOURCE : Side.DESTINATION, record.getLong(8));
  }

  @Override
  public boolean compareAndSet(Ownership expected, Ownership wanted) throws IOException {
    try (FileTurn _ = FileTurn.at(lock);
        FileChannel held = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock exclusive = lock(held)) {
      if (!exclusive.isValid() || !read().equals(expected)) {
        return false;
      }
      replace(wanted);
      return true;
    }
  }

  /** Wait for the lock. Whoever else of this process has it, not by this class, makes others be refused at once, where those of another process are made to wait. */
  private static FileLock lock(FileChannel held) throws IOException {
    while (true) {
      try {
        return held.lock();
      } catch (OverlappingFileLockException e) {
        LockSupport.parkNanos(PAUSE_NANOS);
        if (Thread.currentThread().isInterrupted()) {
          throw new InterruptedIOException("interrupted while another thread of this process holds the ownership record's lock");
        }
      }
    }
  }

  private void replace(Ownership wanted) throws IOException {
    ByteBuffer record = ByteBuffer.allocate(BYTES);
    record.putLong(0, wanted.epoch()).putLong(8, wanted.session()).putInt(16, wanted.holder() == Side.SOURCE ? 0 : 1);
    record.putInt(BYTES - 4, crc(record));
    try (FileChannel channel = FileChannel.open(DurableFiles.next(file), StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
      DurableFiles.write(channel, record, 0);
      channel.force(true);
    }
    undurable = true;
    DurableFiles.rename(file);
    names.force(file);
    undurable = false;
  }

  private static int crc(ByteBuffer record) {
    CRC32C crc = new CRC32C();
    crc.update(record.slice(0, BYTES - 4));
    return (int) crc.getValue();
  }
}
