package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.PollEvents;
import io.twostep.machine.linux.vfiouser.protocol.Capabilities;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.ConnectionException;
import io.twostep.machine.linux.vfiouser.protocol.Header;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.MessageSocket;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import io.twostep.machine.linux.vfiouser.protocol.Version;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client's time with the device: its commands are answered, and the model steps in between.
 *
 * <p>A command that breaks the protocol is answered with an error; what leaves no way to go on ends the session, and so does the client. Afterwards nothing of the client is left.
 */
final class Session implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Session.class);
  private static final int SPINS = 2_000;
  private static final int NAPS = 2_000;
  private static final long NAP_NANOS = 50_000;
  private static final long LONG_NAP_NANOS = 1_000_000;
  private static final short[] READABLE = {PollEvents.READABLE, PollEvents.READABLE};

  private final Kernel kernel;
  private final MessageSocket socket;
  private final List<Descriptor> polled;
  private final short[] ready = new short[2];
  private final BooleanSupplier stopped;
  private final ServedDevice device;
  private final ClientRuns runs;
  private final ClientEvents events;
  private final ClientMessages messages;
  private final SessionCommands commands;
  private final LongSupplier nanoTime;
  private final long timeoutNanos;
  private boolean negotiated;
  private int idle;

  /**
   * Begin.
   *
   * @param stop readable once the server has to stop
   * @param stopped holds then: a client that is slow, however often its time begins anew, holds nothing up
   * @param timeoutNanos how long the client may take to send the rest of a message, or to answer
   */
  Session(Kernel kernel, Descriptor socket, Descriptor stop, BooleanSupplier stopped, ServedDevice device, LongSupplier nanoTime, long timeoutNanos) {
    this.kernel = kernel;
    polled = List.of(socket, stop);
    this.stopped = stopped;
    this.device = device;
    this.nanoTime = nanoTime;
    this.timeoutNanos = timeoutNanos;
    this.socket = new MessageSocket(kernel, socket, nanoTime, stopped, SessionCommands.TRANSFER, SessionCommands.MOST_DESCRIPTORS);
    runs = new ClientRuns(kernel);
    events = new ClientEvents(kernel, device.vectors());
    messages = new ClientMessages(this.socket, nanoTime, timeoutNanos);
    commands = new SessionCommands(device, runs, events, this.socket);
    device.bus().use(runs.all(), messages);
    device.runner().interruptsTo(events::signal);
  }

  /** Serve until the client leaves or the server stops. */
  void run() {
    try {
      while (!stopped.getAsBoolean()) {
        boolean worked = device.sweep();
        boolean more = device.runner().step();
        Message message = next();
        if (message != null) {
          handle(message);
          idle = 0;
        } else if (worked || more) {
          idle = 0;
        } else {
          rest();
        }
      }
    } catch (ConnectionException e) {
      LOG.info("client left: it {}", e.getMessage());
    } catch (SystemCallException e) {
      LOG.warn("the session ends: {}", e.getMessage());
    }
  }

  /** What was stored before a message was sent comes first. The model may ask the client then, and meet the message, or have it overwrite one that was received already. */
  private @Nullable Message next() {
    Message waiting = messages.next();
    if (waiting != null) {
      device.sweep();
      return waiting;
    }
    if (!socket.isReadable()) {
      return null;
    }
    device.sweep();
    waiting = messages.next();
    return waiting != null ? waiting : socket.receive(nanoTime.getAsLong() + timeoutNanos);
  }

  /** Registers that are written by store have to be looked at: often at first, then less and less. */
  private void rest() {
    long nanos = device.runner().untilNext();
    if (commands.sharesRegisters()) {
      long look = ++idle < SPINS ? 0 : idle < SPINS + NAPS ? NAP_NANOS : LONG_NAP_NANOS;
      nanos = nanos < 0 ? look : Math.min(nanos, look);
    }
    if (nanos == 0) {
      Thread.onSpinWait();
      return;
    }
    kernel.poll(polled, READABLE, ready, nanos < 0 ? VfioUserServer.LONGEST_WAIT_NANOS : Math.min(nanos, VfioUserServer.LONGEST_WAIT_NANOS));
  }

  private void handle(Message message) {
    Header header = message.header();
    if (header.isReply()) {
      socket.closeAll(message.descriptors());
      throw new ConnectionException("sent a " + header + ", and nothing was asked");
    }
    if (!negotiated) {
      negotiate(message);
      return;
    }
    int id = header.id();
    int command = header.command();
    boolean wantsReply = header.wantsReply();
    List<Descriptor> came = message.descriptors();
    int errno = 0;
    int payload = 0;
    try {
      payload = commands.execute(message);
    } catch (ProtocolException e) {
      LOG.debug("refused: {}", e.getMessage());
      errno = e.errno();
    } catch (ConnectionException e) {
      throw e;
    } catch (RuntimeException e) {
      LOG.warn("{}: the model failed", Command.name(command), e);
      errno = Errno.EIO;
    }
    if (errno != 0) {
      socket.closeAll(came);
    }
    if (wantsReply) {
      answer(id, command, errno, payload, commands.passed());
    }
  }

  private void negotiate(Message message) {
    Header header = message.header();
    int errno = Errno.EINVAL;
    int length = 0;
    String wrong = "began with " + header + " instead of VERSION";
    if (header.command() == Command.VERSION) {
      try {
        message.requireNoDescriptors();
        Version asked = Version.read(message.payload());
        wrong = "wants version " + asked.major() + "." + asked.minor();
        if (asked.major() == Version.MAJOR) {
          messages.limit(asked.capabilities().transfer());
          commands.limit(asked.capabilities().descriptors());
          length = new Version(Version.MAJOR, Math.min(asked.minor(), Version.MINOR), ours()).write(socket.outgoing());
          errno = 0;
        }
      } catch (ProtocolException e) {
        wrong = "sent " + e.getMessage();
      }
    }
    if (errno != 0) {
      socket.closeAll(message.descriptors());
    }
    answer(header.id(), header.command(), errno, length, List.of());
    if (errno != 0) {
      throw new ConnectionException(wrong);
    }
    negotiated = true;
  }

  private static Capabilities ours() {
    return new Capabilities(
        SessionCommands.MOST_DESCRIPTORS, SessionCommands.TRANSFER, ClientRuns.MOST, Capabilities.DEFAULT.granule());
  }

  private void answer(int id, int command, int errno, int payload, List<Descriptor> passed) {
    long deadline = nanoTime.getAsLong() + timeoutNanos;
    if (errno == 0) {
      socket.send(id, command, Header.REPLY, 0, payload, passed, deadline);
    } else {
      socket.send(id, command, Header.REPLY | Header.ERROR, errno, 0, List.of(), deadline);
    }
  }

  /** Let go of everything of the client's, and reset the device. */
  @Override
  public void close() {
    try {
      device.forgetClient();
    } finally {
      RuntimeException left = new Closing().then(messages::close).then(runs::close).then(events::close).then(device::closeShared).then(socket::close).failure();
      if (left != null) {
        LOG.warn("not all of the client's could be given back: {}", left.getMessage());
      }
    }
  }
}
