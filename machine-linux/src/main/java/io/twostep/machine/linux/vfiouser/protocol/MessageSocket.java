package io.twostep.machine.linux.vfiouser.protocol;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.PassedDescriptors;
import io.twostep.machine.linux.kernel.PollEvents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends and receives whole messages over a UNIX socket; never waits longer than it is told.
 *
 * <p>A message is built in place behind {@link #outgoing} and sent with one call, descriptors on its first byte. Owns its socket. Not thread-safe.
 */
public final class MessageSocket implements AutoCloseable {
  /** Bytes that a message has at most beside its data: header, the longest structure, the longest VERSION text. */
  private static final int OVERHEAD = 64 << 10;

  private static final Logger LOG = LoggerFactory.getLogger(MessageSocket.class);
  private static final long LONGEST_NAP_NANOS = 20_000_000;

  private final Kernel kernel;
  private final Descriptor socket;
  private final LongSupplier nanoTime;
  private final BooleanSupplier stopped;
  private final int largest;
  private final int mostDescriptors;
  private final MemorySegment in;
  private final MemorySegment out;
  private final MemorySegment outgoing;
  private final Message message;
  private final PassedDescriptors first;
  private final PassedDescriptors rest;
  private boolean closed;

  /** Take a connected socket, and wait until every deadline. */
  public MessageSocket(Kernel kernel, Descriptor socket, LongSupplier nanoTime, int transfer, int mostDescriptors) {
    this(kernel, socket, nanoTime, () -> false, transfer, mostDescriptors);
  }

  /**
   * Take a connected socket.
   *
   * @param nanoTime the clock that deadlines are told by
   * @param stopped nothing is waited for once this holds, whatever the deadline
   * @param transfer bytes of data in one message, at most
   * @param mostDescriptors descriptors that a message may carry in
   */
  public MessageSocket(Kernel kernel, Descriptor socket, LongSupplier nanoTime, BooleanSupplier stopped, int transfer, int mostDescriptors) {
    this.kernel = kernel;
    this.socket = socket;
    this.nanoTime = nanoTime;
    this.stopped = stopped;
    this.mostDescriptors = mostDescriptors;
    largest = transfer + OVERHEAD;
    in = Arena.ofAuto().allocate(largest, 8);
    out = Arena.ofAuto().allocate(largest, 8);
    outgoing = out.asSlice(Header.SIZE);
    message = new Message(in);
    String name = "descriptor received from " + socket.name();
    first = new PassedDescriptors(name, mostDescriptors);
    rest = new PassedDescriptors(name, 0);
  }

  /** Return the socket, to wait for. */
  public Descriptor descriptor() {
    return socket;
  }

  /** Return where the payload of the next message to send is built. */
  public MemorySegment outgoing() {
    return outgoing;
  }

  /**
   * Send a message whose payload is in {@link #outgoing}.
   *
   * @param payload bytes of the payload
   * @param passed descriptors to go along; still the caller's
   * @param deadline when to give up
   * @throws ConnectionException if the other end has closed, or takes nothing in until then, or this one stops
   */
  public void send(int id, int command, int flags, int errno, int payload, List<Descriptor> passed, long deadline) {
    int size = Header.SIZE + payload;
    Header.write(out, id, command, size, flags, errno);
    List<Descriptor> still = passed;
    int sent = 0;
    while (sent < size) {
      long now = trySend(sent, size - sent, still);
      if (now > 0) {
        sent += (int) now;
        still = List.of();
      } else if (!await(PollEvents.WRITABLE, deadline)) {
        throw new ConnectionException("took in nothing of " + Command.name(command) + " for too long");
      }
    }
  }

  private long trySend(int offset, int length, List<Descriptor> passed) {
    try {
      return kernel.sendMessage(socket, out, offset, length, passed);
    } catch (SystemCallException e) {
      throw lost(e);
    }
  }

  /** Tell whether something has come in, or the other end has closed. */
  public boolean isReadable() {
    return pollOnce(PollEvents.READABLE, 0);
  }

  /**
   * Receive the next message; the one before it is gone then.
   *
   * @return null if none has begun by {@code deadline}
   * @throws ConnectionException if the other end has closed, breaks the protocol in a way that leaves no next message, or stops in the middle of one until then, or this one stops
   */
  public @Nullable Message receive(long deadline) {
    if (!await(PollEvents.READABLE, deadline)) {
      return null;
    }
    message.descriptors(List.of());
    try {
      int got = receivePart(0, Header.SIZE, first, deadline);
      message.descriptors(first.taken());
      requireWhole(first);
      while (got < Header.SIZE) {
        got += receiveRest(got, Header.SIZE, deadline);
      }
      requireHeader();
      while (got < message.header().size()) {
        got += receiveRest(got, message.header().size(), deadline);
      }
      return message;
    } catch (ConnectionException e) {
      closeAll(message.descriptors());
      throw e;
    }
  }

  private void requireHeader() {
    try {
      message.header().require(largest);
    } catch (ProtocolException e) {
      throw new ConnectionException("sent what is no message: " + e.getMessage(), e);
    }
  }

  private int receiveRest(int from, int to, long deadline) {
    int got = receivePart(from, to, rest, deadline);
    requireWhole(rest);
    return got;
  }

  private int receivePart(int from, int to, PassedDescriptors passed, long deadline) {
    while (true) {
      long got;
      try {
        got = kernel.receiveMessage(socket, in, from, to - from, passed);
      } catch (SystemCallException e) {
        throw lost(e);
      }
      if (got == 0) {
        closeAll(passed.taken());
        throw new ConnectionException("hung up");
      }
      if (got > 0) {
        return (int) got;
      }
      if (!await(PollEvents.READABLE, deadline)) {
        throw new ConnectionException("stopped in the middle of a message");
      }
    }
  }

  private static ConnectionException lost(SystemCallException e) {
    boolean hungUp = e.errno() == Errno.EPIPE || e.errno() == Errno.ECONNRESET;
    return new ConnectionException(hungUp ? "hung up" : "cannot be talked to: " + e.getMessage(), e);
  }

  private void requireWhole(PassedDescriptors part) {
    if (part.isShortage()) {
      throw new ConnectionException("sent descriptors, and this process can open no more files: raise the limit (ulimit -n)");
    }
    if (part.isTruncated()) {
      throw new ConnectionException("sent more than " + mostDescriptors + " descriptors with a message, or descriptors behind its first byte");
    }
  }

  /** Waits in short naps, so that a clock that runs by itself is seen, and a stop. */
  private boolean await(short event, long deadline) {
    while (true) {
      if (stopped.getAsBoolean()) {
        throw new ConnectionException("was not waited for any longer: this end stops");
      }
      long left = deadline - nanoTime.getAsLong();
      if (pollOnce(event, Math.clamp(left, 0, LONGEST_NAP_NANOS))) {
        return true;
      }
      if (left <= 0) {
        return false;
      }
    }
  }

  private boolean pollOnce(short event, long nanos) {
    try {
      return kernel.poll(socket, event, nanos) != 0;
    } catch (SystemCallException e) {
      throw lost(e);
    }
  }

  /** Close descriptors that came along and are of no use. Never fails: what the close of a stranger's file says is the stranger's affair. */
  public void closeAll(List<Descriptor> descriptors) {
    for (int i = 0; i < descriptors.size(); i++) {
      try {
        kernel.close(descriptors.get(i));
      } catch (SystemCallException e) {
        LOG.debug("{}", e.getMessage());
      }
    }
  }

  /** Close the socket; may be repeated. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      kernel.close(socket);
    }
  }
}
