package io.twostep.device.vfio.migrate;

import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A turn of one thread of this process at a file that is locked against other processes. Such a lock is the process's: whoever opened the file too and closed it, having given up waiting, would let go of it for the one that holds it.
 */
final class FileTurn implements AutoCloseable {
  private static final ConcurrentMap<Path, Queue> QUEUES = new ConcurrentHashMap<>();

  private final Path file;
  private final Queue queue;

  /** Who is at a file or waits for it. */
  private static final class Queue {
    final ReentrantLock lock = new ReentrantLock();
    int users;
  }

  private FileTurn(Path file, Queue queue) {
    this.file = file;
    this.queue = queue;
  }

  /**
   * Wait for the turn at a file; {@link #close} ends it.
   *
   * @throws InterruptedIOException if interrupted meanwhile; the thread stays interrupted
   */
  static FileTurn at(Path path) throws InterruptedIOException {
    Path file = path.normalize();
    Queue queue =
        QUEUES.compute(
            file,
            (_, known) -> {
              Queue joined = known == null ? new Queue() : known;
              joined.users++;
              return joined;
            });
    try {
      if (!queue.lock.tryLock()) {
        queue.lock.lockInterruptibly();
      }
      return new FileTurn(file, queue);
    } catch (InterruptedException e) {
      leave(file);
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while another thread of this process is at " + path);
    }
  }

  private static void leave(Path file) {
    QUEUES.computeIfPresent(file, (_, queue) -> --queue.users == 0 ? null : queue);
  }

  @Override
  public void close() {
    queue.lock.unlock();
    leave(file);
  }
}
