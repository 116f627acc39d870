package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.vfiouser.protocol.Capabilities;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.ConnectionException;
import io.twostep.machine.linux.vfiouser.protocol.Header;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.MessageSocket;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import io.twostep.machine.linux.vfiouser.protocol.Version;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The client's end of a connection: one command at a time, each answered before its time is up, and the server's own commands answered in between.
 *
 * <p>A server that hangs up, stalls or breaks the protocol is lost for good: the socket is closed, and whatever is asked of it is refused with DETACHED from then on. Commands
 * are made under {@link #lock}; the rest is thread-safe.
 */
final class Connection implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Connection.class);
  private static final long RETRY_NANOS = 1_000_000;
  private static final int MOST_DESCRIPTORS = 8;
  private static final int MOST_ANSWERS = 64;
  private static final int TRANSFER = 1 << 20;

  /** What the server may do to this side. */
  interface Target {
    /** Read memory for the device into part of {@code to}; returns 0 or an error number. */
    int read(long iova, MemorySegment to, long offset, long length);

    /** Write part of {@code from} into memory for the device; returns 0 or an error number. */
    int write(long iova, MemorySegment from, long offset, long length);
  }

  private final String device;
  private final MessageSocket socket;
  private final long timeoutNanos;
  private final LongSupplier nanoTime;
  private final ReentrantLock lock = new ReentrantLock();
  private Capabilities server = Capabilities.DEFAULT;
  private @Nullable MemoryAnswer memory;
  private Runnable onLost = () -> {};
  private int lastId;
  private volatile boolean postedSince;
  private volatile @Nullable String lostBecause;

  private Connection(String device, MessageSocket socket, long timeoutNanos, LongSupplier nanoTime) {
    this.device = device;
    this.socket = socket;
    this.timeoutNanos = timeoutNanos;
    this.nanoTime = nanoTime;
  }

  /**
   * Connect and agree on the version.
   *
   * @param device names device and socket in messages
   * @throws SystemCallException if nobody listens there, or this process can open no socket
   * @throws DmaMappingException DETACHED if the server does not answer as it must
   */
  static Connection open(Kernel kernel, String path, String device, long timeoutNanos, LongSupplier nanoTime) {
    Descriptor socket = kernel.socket(device);
    try {
      connect(kernel, socket, path, device, nanoTime, nanoTime.getAsLong() + timeoutNanos);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.close(socket));
    }
    MessageSocket messages = new MessageSocket(kernel, socket, nanoTime, TRANSFER, MOST_DESCRIPTORS);
    Connection connection = new Connection(device, messages, timeoutNanos, nanoTime);
    try {
      connection.negotiate();
    } catch (RuntimeException e) {
      throw Closing.after(e, connection::close);
    }
    return connection;
  }

  private static void connect(Kernel kernel, Descriptor socket, String path, String device, LongSupplier nanoTime, long deadline) {
    while (true) {
      try {
        kernel.connect(socket, path);
        return;
      } catch (SystemCallException e) {
        if (e.errno() != Errno.EAGAIN || deadline - nanoTime.getAsLong() <= 0) {
          throw e.explained(device, remedy(e.errno()));
        }
        LockSupport.parkNanos(RETRY_NANOS);
      }
    }
  }

  private static String remedy(int errno) {
    return switch (errno) {
      case Errno.EAGAIN -> "the server takes no client now: end the other one";
      case Errno.ENOENT, Errno.ECONNREFUSED -> "start the server, and name the socket that it listens at";
      case Errno.EPERM, Errno.EACCES -> "run as a user who may connect to it";
      default -> "name the socket that the server listens at";
    };
  }

  private void negotiate() {
    lock();
    try {
      Version ours = new Version(Version.MAJOR, Version.MINOR, new Capabilities(MOST_DESCRIPTORS, TRANSFER, Capabilities.DEFAULT.maps(), Capabilities.DEFAULT.granule()));
      Version theirs =
          exchange(
              Command.VERSION,
              ours.write(outgoing()),
              List.of(),
              reply -> {
                reply.requireNoDescriptors();
                return Version.read(reply.payload());
              });
      if (theirs.major() != Version.MAJOR || theirs.minor() > Version.MINOR) {
        throw lose("answered with version %d.%d, and %d.%d was asked for".formatted(theirs.major(), theirs.minor(), Version.MAJOR, Version.MINOR), null);
      }
      server = theirs.capabilities();
    } catch (RefusedException e) {
      throw lose("refused version %d.%d".formatted(Version.MAJOR, Version.MINOR), e);
    } finally {
      unlock();
    }
  }

  /** Return what the server takes. */
  Capabilities server() {
    return server;
  }

  /** Return the name for messages. */
  String device() {
    return device;
  }

  /** Return the socket, to wait for. */
  Descriptor descriptor() {
    return socket.descriptor();
  }

  /** Answer the server's accesses to memory from now on. */
  void serve(Target target) {
    lock();
    try {
      memory = new MemoryAnswer(target, TRANSFER);
    } finally {
      unlock();
    }
  }

  /** Run {@code task} when the server is lost, before its socket is closed; at once if it is. */
  void onLost(Runnable task) {
    lock();
    try {
      onLost = task;
      if (isLost()) {
        task.run();
      }
    } finally {
      unlock();
    }
  }

  /** Keep others from commanding; a command is built and made under one hold. */
  void lock() {
    lock.lock();
  }

  void unlock() {
    lock.unlock();
  }

  /** Return why the server is lost, null as long as it is not. */
  @Nullable String lostBecause() {
    return lostBecause;
  }

  /** Tell whether the server is lost. */
  boolean isLost() {
    return lostBecause != null;
  }

  /**
   * Check that the server is not lost.
   *
   * @throws DmaMappingException DETACHED if it is
   */
  void requireAlive() {
    String why = lostBecause;
    if (why != null) {
      throw new DmaMappingException(Reason.DETACHED, why);
    }
  }

  /** Return where the payload of the next command is built. */
  MemorySegment outgoing() {
    return socket.outgoing();
  }

  /**
   * Make a command and read its reply, all of whose descriptors {@code reader} takes unless it throws.
   *
   * @throws RefusedException if the server answers with an error
   * @throws DmaMappingException DETACHED if the server is lost, now or before
   */
  <T> T exchange(int command, int payload, List<Descriptor> passed, Function<Message, T> reader) {
    Message reply = exchange(command, payload, passed);
    List<Descriptor> came = reply.descriptors();
    try {
      return reader.apply(reply);
    } catch (ProtocolException e) {
      socket.closeAll(came);
      throw lose(e.getMessage(), e);
    } catch (RuntimeException e) {
      socket.closeAll(came);
      throw e;
    }
  }

  /**
   * Make a command whose reply carries no descriptors, and return the reply; it lives until the next command.
   *
   * @throws RefusedException if the server answers with an error
   * @throws DmaMappingException DETACHED if the server is lost, now or before
   */
  Message exchange(int command, int payload) {
    Message reply = exchange(command, payload, List.of());
    if (!reply.descriptors().isEmpty()) {
      socket.closeAll(reply.descriptors());
      throw lose("sent a %s that carries %d descriptors; it carries none".formatted(reply.header(), reply.descriptors().size()), null);
    }
    return reply;
  }

  private Message exchange(int command, int payload, List<Descriptor> passed) {
    requireAlive();
    try {
      lastId = lastId + 1 & 0xffff;
      socket.send(lastId, command, Header.COMMAND, 0, payload, passed, deadline());
      Message reply = awaitReply(command);
      postedSince = false;
      if (reply.header().isError()) {
        socket.closeAll(reply.descriptors());
        throw new RefusedException(device, reply.header());
      }
      return reply;
    } catch (ConnectionException e) {
      throw lose(e.getMessage(), e);
    }
  }

  /**
   * Make a command that wants no reply.
   *
   * @throws DmaMappingException DETACHED if the server is lost, now or before
   */
  void post(int command, int payload) {
    requireAlive();
    try {
      lastId = lastId + 1 & 0xffff;
      postedSince = true;
      socket.send(lastId, command, Header.COMMAND | Header.NO_REPLY, 0, payload, List.of(), deadline());
    } catch (ConnectionException e) {
      throw lose(e.getMessage(), e);
    }
  }

  /** Tell whether the server may still have to do what was posted. */
  boolean hasPosted() {
    return postedSince;
  }

  private Message awaitReply(int command) {
    long deadline = deadline();
    while (true) {
      Message message = deadline - nanoTime.getAsLong() < 0 ? null : socket.receive(deadline);
      if (message == null) {
        throw new ConnectionException("did not answer " + Command.name(command) + " within " + timeoutNanos / 1_000_000 + " ms");
      }
      if (!message.header().isReply()) {
        answer(message);
        continue;
      }
      if (message.header().id() != lastId || message.header().command() != command) {
        socket.closeAll(message.descriptors());
        throw new ConnectionException("sent a " + message.header() + ", and " + Command.name(command) + " (id " + lastId + ") was asked");
      }
      return message;
    }
  }

  /** Answer what the server asks without having been asked; does nothing if another thread is at it. */
  void answerPending() {
    if (isLost() || !lock.tryLock()) {
      return;
    }
    try {
      for (int i = 0; i < MOST_ANSWERS && !isLost() && socket.isReadable(); i++) {
        Message message = socket.receive(deadline());
        if (message == null) {
          return;
        }
        if (message.header().isReply()) {
          socket.closeAll(message.descriptors());
          throw new ConnectionException("sent a " + message.header() + ", and nothing was asked");
        }
        answer(message);
      }
    } catch (ConnectionException e) {
      lose(e.getMessage(), e);
    } finally {
      lock.unlock();
    }
  }

  private void answer(Message message) {
    socket.closeAll(message.descriptors());
    Header header = message.header();
    MemoryAnswer answers = memory;
    boolean isAccess = header.command() == Command.DMA_READ || header.command() == Command.DMA_WRITE;
    int payload = answers != null && isAccess ? answers.answer(message, outgoing()) : -Errno.EINVAL;
    if (header.wantsReply()) {
      boolean done = payload >= 0;
      socket.send(header.id(), header.command(), done ? Header.REPLY : Header.REPLY | Header.ERROR, done ? 0 : -payload, done ? payload : 0, List.of(), deadline());
    }
  }

  private long deadline() {
    return nanoTime.getAsLong() + timeoutNanos;
  }

  /** Give the server up, and return the exception that says why. */
  DmaMappingException lose(@Nullable String what, @Nullable Throwable cause) {
    String why = device + ": the server " + what + "; restart it, close this machine and open it again";
    lock();
    try {
      if (lostBecause == null) {
        lostBecause = why;
        LOG.warn("{}", why);
        RuntimeException left = new Closing().then(onLost).then(socket::close).failure();
        if (left != null) {
          LOG.warn("{}: {}", device, left.getMessage());
        }
      }
    } finally {
      unlock();
    }
    return cause == null ? new DmaMappingException(Reason.DETACHED, why) : new DmaMappingException(Reason.DETACHED, why, cause);
  }

  /** Hang up; may be repeated. */
  @Override
  public void close() {
    lock();
    try {
      Closing closing = new Closing();
      if (lostBecause == null) {
        lostBecause = device + ": the machine is closed";
        closing.then(onLost);
      }
      closing.then(socket::close).end();
    } finally {
      unlock();
    }
  }
}
