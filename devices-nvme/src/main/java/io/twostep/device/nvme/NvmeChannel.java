package io.twostep.device.nvme;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SeekableByteChannel;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A namespace as a sequence of bytes, for ordinary code: a channel with a position, and calls with positions of their own.
 *
 * <p>Thread-safe; calls run one after another. Bytes go through a buffer of the driver's. A write that begins or ends inside a block reads the block, changes
 * it and writes it back: atomic against other calls on this channel, not against other writers of the same block. The size is fixed: reads end
 * there, writes stop there.
 */
public final class NvmeChannel implements SeekableByteChannel {
  private static final int BUFFER = 256 << 10;

  private final NvmeNamespace namespace;
  private final int blockSize;
  private final long size;
  private final ReentrantLock lock = new ReentrantLock();
  private final MemoryBlock buffer;
  private final NvmeBio bio = new NvmeBio();
  private final BioVector vector = new BioVector();
  private long position;
  private boolean open = true;

  NvmeChannel(NvmeNamespace namespace) {
    if (namespace.dataBytes(1) != namespace.blockSize()
        || (namespace.metadataSize() != 0 && !namespace.controllerProtects(new NvmeBio().set(NvmeOperation.READ, namespace, 0, 1, null)))) {
      throw new UnsupportedOperationException(
          namespace.controller().name()
              + ": blocks of namespace "
              + namespace.id()
              + " have metadata that a channel cannot provide; use requests with metadata");
    }
    this.namespace = namespace;
    blockSize = namespace.blockSize();
    size = namespace.size();
    buffer = namespace.controller().memory().allocate(Math.max(BUFFER, blockSize), MemoryPlacement.SCATTERED);
  }

  @Override
  public int read(ByteBuffer target) throws IOException {
    lock.lock();
    try {
      int count = read(target, position);
      if (count > 0) {
        position += count;
      }
      return count;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Read from a position of the caller's; the channel's own stays.
   *
   * @return bytes read, all that {@code target} has room for unless the end is nearer; -1 at or behind the end
   */
  public int read(ByteBuffer target, long from) throws IOException {
    requirePosition(from);
    lock.lock();
    try {
      requireOpen();
      if (from >= size) {
        return -1;
      }
      int count = (int) Math.min(target.remaining(), size - from);
      int done = 0;
      while (done < count) {
        long at = from + done;
        int inBlock = (int) (at % blockSize);
        int bytes = (int) Math.min(count - done, buffer.length() / blockSize * blockSize - inBlock);
        transfer(NvmeOperation.READ, at - inBlock, roundUp(inBlock + bytes));
        target.put(buffer.segment().asSlice(inBlock, bytes).asByteBuffer());
        done += bytes;
      }
      return count;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public int write(ByteBuffer source) throws IOException {
    lock.lock();
    try {
      int count = write(source, position);
      position += count;
      return count;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Write at a position of the caller's; the channel's own stays.
   *
   * @return bytes written, all of {@code source} unless the end is nearer
   * @throws IOException if the position is at or behind the end and there is something to write
   */
  public int write(ByteBuffer source, long to) throws IOException {
    requirePosition(to);
    lock.lock();
    try {
      requireOpen();
      if (!source.hasRemaining()) {
        return 0;
      }
      if (to >= size) {
        throw new IOException(namespace.controller().name() + ": no room at " + to + ": namespace " + namespace.id() + " has " + size + " bytes");
      }
      int count = (int) Math.min(source.remaining(), size - to);
      int done = 0;
      while (done < count) {
        done += writeSome(source, to + done, count - done);
      }
      return count;
    } finally {
      lock.unlock();
    }
  }

  private int writeSome(ByteBuffer source, long at, int left) throws IOException {
    int inBlock = (int) (at % blockSize);
    int bytes = (int) Math.min(left, buffer.length() / blockSize * blockSize - inBlock);
    int whole = roundUp(inBlock + bytes);
    boolean headPartial = inBlock != 0;
    boolean tailPartial = whole != inBlock + bytes;
    if (headPartial || (tailPartial && whole == blockSize)) {
      transfer(NvmeOperation.READ, at - inBlock, blockSize);
    }
    if (tailPartial && whole > blockSize) {
      transferAt(NvmeOperation.READ, at - inBlock + whole - blockSize, whole - blockSize, blockSize);
    }
    ByteBuffer part = source.slice(source.position(), bytes);
    MemorySegment.copy(MemorySegment.ofBuffer(part), 0, buffer.segment(), inBlock, bytes);
    transfer(NvmeOperation.WRITE, at - inBlock, whole);
    source.position(source.position() + bytes);
    return bytes;
  }

  private void transfer(NvmeOperation operation, long from, int bytes) throws IOException {
    transferAt(operation, from, 0, bytes);
  }

  private void transferAt(NvmeOperation operation, long from, long inBuffer, int bytes) throws IOException {
    vector.clear().add(buffer, inBuffer, bytes);
    try {
      namespace.run(bio.set(operation, namespace, from / blockSize, bytes / blockSize, vector));
    } catch (RuntimeException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private int roundUp(int bytes) {
    return (bytes + blockSize - 1) & -blockSize;
  }

  /** Make everything that was written durable. */
  public void force() throws IOException {
    lock.lock();
    try {
      requireOpen();
      namespace.run(bio.flush(namespace));
    } catch (NvmeException e) {
      throw new IOException(e.getMessage(), e);
    } finally {
      lock.unlock();
    }
  }

  @Override
  public long position() throws IOException {
    lock.lock();
    try {
      requireOpen();
      return position;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public SeekableByteChannel position(long newPosition) throws IOException {
    requirePosition(newPosition);
    lock.lock();
    try {
      requireOpen();
      position = newPosition;
      return this;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public long size() throws IOException {
    lock.lock();
    try {
      requireOpen();
      return size;
    } finally {
      lock.unlock();
    }
  }

  /** Do nothing but move a position that is behind {@code newSize}: the size of a namespace is fixed, so only sizes that change nothing are accepted. */
  @Override
  public SeekableByteChannel truncate(long newSize) throws IOException {
    requirePosition(newSize);
    lock.lock();
    try {
      requireOpen();
      if (newSize < size) {
        throw new UnsupportedOperationException(
            namespace.controller().name() + ": namespace " + namespace.id() + " cannot be truncated to " + newSize + " bytes");
      }
      position = Math.min(position, newSize);
      return this;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public boolean isOpen() {
    lock.lock();
    try {
      return open;
    } finally {
      lock.unlock();
    }
  }

  /** Give the buffer back; the namespace stays. */
  @Override
  public void close() {
    lock.lock();
    try {
      if (open) {
        open = false;
        buffer.close();
      }
    } finally {
      lock.unlock();
    }
  }

  private void requireOpen() throws ClosedChannelException {
    if (!open) {
      throw new ClosedChannelException();
    }
  }

  private static void requirePosition(long at) {
    if (at < 0) {
      throw new IllegalArgumentException("position " + at + " is negative");
    }
  }
}
