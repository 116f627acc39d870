package io.twostep.machine.linux.vfiouser.server;

import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.ConnectionException;
import io.twostep.machine.linux.vfiouser.protocol.DmaAccess;
import io.twostep.machine.linux.vfiouser.protocol.Header;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.MessageSocket;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Asks the client for the bytes of memory that it keeps. What the client sends in the meantime waits its turn.
 *
 * <p>One question at a time, and its data small enough for a socket's buffer, so that both sides can never wait for each other to read. A client that does not answer is out of step
 * for good: the device reads and writes nothing more, and the session ends with the next message.
 */
final class ClientMessages implements ClientBus.Messages, AutoCloseable {
  private static final int MOST_WAITING = 4096;
  private static final int MOST_WAITING_DESCRIPTORS = 64;
  private static final long MOST_WAITING_BYTES = 16 << 20;
  private static final int MOST_DATA = 64 << 10;

  private final MessageSocket socket;
  private final LongSupplier nanoTime;
  private final long timeoutNanos;
  private final Queue<Message> waiting = new ArrayDeque<>();
  private int waitingDescriptors;
  private long waitingBytes;
  private int most = MOST_DATA;
  private int lastId;
  private @Nullable ConnectionException lost;

  ClientMessages(MessageSocket socket, LongSupplier nanoTime, long timeoutNanos) {
    this.socket = socket;
    this.nanoTime = nanoTime;
    this.timeoutNanos = timeoutNanos;
  }

  /** Send no more bytes at a time than the client takes. */
  void limit(int transfer) {
    most = Math.min(MOST_DATA, transfer);
  }

  /**
   * Return the oldest message that came in between, null if there is none.
   *
   * @throws ConnectionException if the client did not answer as it must
   */
  @Nullable Message next() {
    if (lost != null) {
      throw lost;
    }
    Message oldest = waiting.poll();
    if (oldest != null) {
      waitingDescriptors -= oldest.descriptors().size();
      waitingBytes -= oldest.length();
    }
    return oldest;
  }

  @Override
  public boolean read(long iova, MemorySegment to, long offset, long length) {
    for (long done = 0; done < length; ) {
      int now = (int) Math.min(most, length - done);
      Message reply = ask(Command.DMA_READ, iova + done, now, DmaAccess.SIZE);
      if (reply == null || !isAnswer(reply, iova + done, now, true)) {
        return false;
      }
      MemorySegment.copy(reply.body(), DmaAccess.SIZE, to, offset + done, now);
      done += now;
    }
    return true;
  }

  @Override
  public boolean write(long iova, MemorySegment from, long offset, long length) {
    for (long done = 0; done < length; ) {
      int now = (int) Math.min(most, length - done);
      MemorySegment.copy(from, offset + done, socket.outgoing(), DmaAccess.SIZE, now);
      Message reply = ask(Command.DMA_WRITE, iova + done, now, DmaAccess.SIZE + now);
      if (reply == null || !isAnswer(reply, iova + done, now, false)) {
        return false;
      }
      done += now;
    }
    return true;
  }

  private boolean isAnswer(Message reply, long iova, long count, boolean withData) {
    try {
      reply.requireNoDescriptors();
      if (withData) {
        DmaAccess.requireData(reply.body(), reply.length());
      } else {
        DmaAccess.require(reply.length());
      }
      DmaAccess.requireEcho(reply.body(), iova, count);
      return true;
    } catch (ProtocolException e) {
      socket.closeAll(reply.descriptors());
      lost = new ConnectionException(e.getMessage() == null ? "answered nonsense" : e.getMessage(), e);
      return false;
    }
  }

  /** Returns the reply, null if the client refuses or is lost. */
  private @Nullable Message ask(int command, long iova, long count, int payload) {
    if (lost != null) {
      return null;
    }
    try {
      long deadline = nanoTime.getAsLong() + timeoutNanos;
      lastId = lastId + 1 & 0xffff;
      DmaAccess.write(socket.outgoing(), iova, count);
      socket.send(lastId, command, Header.COMMAND, 0, payload, List.of(), deadline);
      Message reply = await(command, deadline);
      if (reply.header().isError()) {
        socket.closeAll(reply.descriptors());
        return null;
      }
      return reply;
    } catch (ConnectionException e) {
      lost = e;
      return null;
    }
  }

  private Message await(int command, long deadline) {
    while (true) {
      Message message = deadline - nanoTime.getAsLong() < 0 ? null : socket.receive(deadline);
      if (message == null) {
        throw new ConnectionException("did not answer " + Command.name(command) + " in time");
      }
      Header header = message.header();
      if (header.isReply() && header.command() == command && header.id() == lastId) {
        return message;
      }
      if (header.isReply() || !hasRoomFor(message)) {
        socket.closeAll(message.descriptors());
        throw new ConnectionException(header.isReply() ? "sent a " + header + " that nobody asked for" : "sends on and does not answer");
      }
      waiting.add(message.copy());
      waitingDescriptors += message.descriptors().size();
      waitingBytes += message.length();
    }
  }

  private boolean hasRoomFor(Message message) {
    return waiting.size() < MOST_WAITING
        && waitingDescriptors + message.descriptors().size() <= MOST_WAITING_DESCRIPTORS
        && waitingBytes + message.length() <= MOST_WAITING_BYTES;
  }

  /** Close descriptors of messages that nobody will take. */
  @Override
  public void close() {
    waiting.forEach(message -> socket.closeAll(message.descriptors()));
    waiting.clear();
  }
}
