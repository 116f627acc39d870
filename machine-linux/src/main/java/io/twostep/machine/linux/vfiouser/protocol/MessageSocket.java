package io.twostep.machine.linux.vfiouser.protocol;

import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.PollEvents;
import io.twostep.machine.linux.kernel.ReceivedMessage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Sends and receives whole messages over a UNIX socket; never waits longer than it is told.
 *
 * <p>A message is built in place behind {@link #outgoing} and sent with one call, descriptors on its first byte. Owns its socket. Not thread-safe.
 */
public final class MessageSocket implements AutoCloseable {
  /** Bytes that a message has at most beside its data: header, the longest structure, the longest VERSION text. */
  private static final int OVERHEAD = 64 << 10;

  private static final long LONGEST_NAP_NANOS = 20_000_000;

  private final Kernel kernel;
  private final Descriptor socket;
  private final LongSupplier nanoTime;
  private final int largest;
  private final int mostDescriptors;
  private final MemorySegment in;
  private final MemorySegment out;
  private boolean closed;

  /**
   * Take a connected socket.
   *
   * @param nanoTime the clock that deadlines are told by
   * @param transfer bytes of data in one message, at most
   * @param mostDescriptors descriptors that a message may carry in
   */
  public MessageSocket(Kernel kernel, Descriptor socket, LongSupplier nanoTime, int transfer, int mostDescriptors) {
    this.kernel = kernel;
    this.socket = socket;
    this.nanoTime = nanoTime;
    this.mostDescriptors = mostDescriptors;
    largest = transfer + OVERHEAD;
    in = Arena.ofAuto().allocate(largest, 8);
    out = Arena.ofAuto().allocate(largest, 8);
  }

  /** Return the socket, to wait for. */
  public Descriptor descriptor() {
    return socket;
  }

  /** Return where the payload of the next message to send is built. */
  public MemorySegment outgoing() {
    return out.asSlice(Header.SIZE);
  }

  /**
   * Send a message whose payload is in {@link #outgoing}.
   *
   * @param payload bytes of the payload
   * @param passed descriptors to go along; still the caller's
   * @param deadline when to give up
   * @throws ConnectionException if the other end has closed, or takes nothing in until then
   */
  public void send(int id, int command, int flags, int errno, int payload, List<Descriptor> passed, long deadline) {
    int size = Header.SIZE + payload;
    new Header(id, command, size, flags, errno).write(out);
    List<Descriptor> still = passed;
    int sent = 0;
    while (sent < size) {
      long now = trySend(out.asSlice(sent, size - sent), still);
      if (now > 0) {
        sent += (int) now;
        still = List.of();
      } else if (!await(PollEvents.WRITABLE, deadline)) {
        throw new ConnectionException("took in nothing of " + Command.name(command) + " for too long");
      }
    }
  }

  private long trySend(MemorySegment bytes, List<Descriptor> passed) {
    try {
      return kernel.sendMessage(socket, bytes, passed);
    } catch (SystemCallException e) {
      throw new ConnectionException("hung up", e);
    }
  }

  /** Tell whether something has come in, or the other end has closed. */
  public boolean isReadable() {
    return pollOnce(PollEvents.READABLE, 0);
  }

  /**
   * Receive the next message.
   *
   * @return null if none has begun by {@code deadline}
   * @throws ConnectionException if the other end has closed, breaks the protocol in a way that leaves no next message, or stops in the middle of one until then
   */
  public @Nullable Message receive(long deadline) {
    if (!await(PollEvents.READABLE, deadline)) {
      return null;
    }
    List<Descriptor> descriptors = List.of();
    int got = 0;
    try {
      while (got < Header.SIZE) {
        ReceivedMessage part = receivePart(in.asSlice(got, Header.SIZE - got), got == 0 ? mostDescriptors : 0, deadline);
        descriptors = got == 0 ? part.descriptors() : descriptors;
        requireWhole(part);
        got += (int) part.length();
      }
      Header header = readHeader();
      while (got < header.size()) {
        ReceivedMessage part = receivePart(in.asSlice(got, header.size() - got), 0, deadline);
        requireWhole(part);
        got += (int) part.length();
      }
      return new Message(header, in.asSlice(Header.SIZE, header.size() - Header.SIZE), descriptors);
    } catch (ConnectionException e) {
      closeAll(descriptors);
      throw e;
    }
  }

  private Header readHeader() {
    try {
      return Header.read(in, largest);
    } catch (ProtocolException e) {
      throw new ConnectionException("sent what is no message: " + e.getMessage(), e);
    }
  }

  private ReceivedMessage receivePart(MemorySegment into, int descriptors, long deadline) {
    while (true) {
      ReceivedMessage part;
      try {
        part = kernel.receiveMessage(socket, into, descriptors);
      } catch (SystemCallException e) {
        throw new ConnectionException("hung up", e);
      }
      if (part.length() == 0) {
        closeAll(part.descriptors());
        throw new ConnectionException("hung up");
      }
      if (part.length() > 0) {
        return part;
      }
      if (!await(PollEvents.READABLE, deadline)) {
        throw new ConnectionException("stopped in the middle of a message");
      }
    }
  }

  private void requireWhole(ReceivedMessage part) {
    if (part.truncated()) {
      throw new ConnectionException("sent more than " + mostDescriptors + " descriptors with a message, or descriptors behind its first byte");
    }
  }

  /** Waits in short naps, so that a clock that runs by itself is seen. */
  private boolean await(short event, long deadline) {
    while (true) {
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
    return kernel.poll(List.of(socket), new short[] {event}, new short[1], nanos) != 0;
  }

  /** Close descriptors that came along and are of no use. */
  public void closeAll(List<Descriptor> descriptors) {
    for (Descriptor descriptor : descriptors) {
      kernel.close(descriptor);
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
