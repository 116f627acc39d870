package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.PollEvents;
import io.twostep.machine.linux.run.EventLoop;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves a device model to one client after another over a UNIX socket.
 *
 * <p>The model has no thread of its own: it works while {@link #serve} runs, on the thread that called it. It reaches a client's memory only where the client mapped it. When a client leaves, in
 * whatever way, its memory and eventfds are let go and the model is reset. {@link #stop} and {@link #close} may be called from any thread.
 */
public final class VfioUserServer implements AutoCloseable {
  /** How long a server waits that nobody wakes. */
  static final long LONGEST_WAIT_NANOS = 1_000_000_000;

  private static final Logger LOG = LoggerFactory.getLogger(VfioUserServer.class);
  private static final int BACKLOG = 8;
  private static final long RETRY_NANOS = 50_000_000;

  /** The bits of a file's mode that tell its type, and a socket's. */
  private static final int FILE_TYPE = 0170000;

  private static final int SOCKET = 0140000;

  private final Kernel kernel;
  private final VfioUserServerConfig config;
  private final LongSupplier nanoTime;
  private final Descriptor listener;
  private final Descriptor stop;
  private final ServedDevice device;
  private final ReentrantLock serving = new ReentrantLock();
  private volatile boolean stopped;
  private boolean closed;

  private VfioUserServer(Kernel kernel, VfioUserServerConfig config, LongSupplier nanoTime, Descriptor listener, Descriptor stop, ServedDevice device) {
    this.kernel = kernel;
    this.config = config;
    this.nanoTime = nanoTime;
    this.listener = listener;
    this.stop = stop;
    this.device = device;
  }

  /**
   * Listen at a socket; clients wait until {@link #serve} is called.
   *
   * @param model what is served; closed with the server, or at once if this throws
   * @throws SystemCallException if the socket cannot be made, such as when another server listens there; one that a dead server left is replaced
   */
  public static VfioUserServer listen(VfioUserServerConfig config, DeviceModel model) {
    return listen(config, model, Kernel.host(), System::nanoTime);
  }

  static VfioUserServer listen(VfioUserServerConfig config, DeviceModel model, Kernel kernel, LongSupplier nanoTime) {
    ServedDevice device;
    try {
      device = new ServedDevice(kernel, model, config, nanoTime);
    } catch (RuntimeException e) {
      throw Closing.after(e, model::close);
    }
    try {
      Descriptor listener = listener(kernel, config.socket());
      try {
        return new VfioUserServer(kernel, config, nanoTime, listener, kernel.eventfd("stop of " + config.socket()), device);
      } catch (RuntimeException e) {
        throw Closing.after(e, () -> kernel.close(listener));
      }
    } catch (RuntimeException e) {
      throw Closing.after(e, device::close);
    }
  }

  private static Descriptor listener(Kernel kernel, Path path) {
    removeLeftover(kernel, path);
    Descriptor socket = kernel.socket("socket " + path);
    try {
      kernel.bind(socket, path.toString());
      kernel.listen(socket, BACKLOG);
      return socket;
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.close(socket));
    }
  }

  /** Remove a socket at which nobody listens any more. */
  private static void removeLeftover(Kernel kernel, Path path) {
    Descriptor probe = kernel.socket("probe of " + path);
    try {
      kernel.connect(probe, path.toString());
    } catch (SystemCallException e) {
      if (e.errno() == Errno.ECONNREFUSED && isSocket(path)) {
        delete(path);
      }
    } finally {
      kernel.close(probe);
    }
  }

  /** Tell whether a path names a socket itself, not by a link: the one thing that {@link #listen} replaces, if nobody listens there. */
  public static boolean isSocket(Path path) {
    try {
      return Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS) instanceof Integer mode && (mode & FILE_TYPE) == SOCKET;
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }

  private static void delete(Path path) {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new UncheckedIOException(path + ": cannot remove the socket that an earlier server left", e);
    }
  }

  /** Return what the server was made of. */
  public VfioUserServerConfig config() {
    return config;
  }

  /**
   * Serve one client after another until {@link #stop} is called; returns at once if it was.
   *
   * @throws IllegalStateException if another thread serves
   */
  public void serve() {
    if (!serving.tryLock()) {
      if (stopped) {
        return;
      }
      throw new IllegalStateException(config.socket() + ": another thread serves already");
    }
    try {
      while (!stopped) {
        Descriptor client = accept();
        if (client != null) {
          try (Session session = new Session(kernel, client, stop, () -> stopped, device, nanoTime, config.timeoutNanos())) {
            session.run();
          }
        }
      }
    } finally {
      serving.unlock();
    }
  }

  /** Returns null if there is none yet. A server outlives what its kernel refuses now, such as one descriptor more. */
  private @Nullable Descriptor accept() {
    try {
      kernel.poll(List.of(listener, stop), new short[] {PollEvents.READABLE, PollEvents.READABLE}, new short[2], LONGEST_WAIT_NANOS);
      return stopped ? null : kernel.accept(listener, "client of " + config.socket());
    } catch (SystemCallException e) {
      if (e.errno() != Errno.EAGAIN) {
        LOG.warn("no client can be taken now: {}", e.getMessage());
        LockSupport.parkNanos(RETRY_NANOS);
      }
      return null;
    }
  }

  /** Have {@link #serve} return; the session of the day ends. */
  public void stop() {
    stopped = true;
    synchronized (stop) {
      if (!closed) {
        wake();
      }
    }
  }

  /** A call that is not heard costs {@link #LONGEST_WAIT_NANOS} at most. */
  private void wake() {
    try {
      EventLoop.signal(kernel, stop);
    } catch (SystemCallException e) {
      LOG.warn("the server was not woken, and stops a little later: {}", e.getMessage());
    }
  }

  /** Stop serving, remove the socket and close the model; may be repeated. */
  @Override
  public void close() {
    stop();
    serving.lock();
    try {
      synchronized (stop) {
        if (closed) {
          return;
        }
        closed = true;
      }
      new Closing()
          // While this one listens nobody else's socket can be there.
          .then(() -> delete(config.socket()))
          .then(() -> kernel.close(listener))
          .then(() -> kernel.close(stop))
          .then(device::close)
          .end();
    } finally {
      serving.unlock();
    }
  }
}
