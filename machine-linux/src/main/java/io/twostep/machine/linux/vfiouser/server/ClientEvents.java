package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.PollEvents;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The client's eventfds, one for each vector at most. Not thread-safe. */
final class ClientEvents implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ClientEvents.class);
  private static final String EVENTFD = "anon_inode:[eventfd]";

  private final Kernel kernel;
  private final @Nullable Descriptor[] events;

  ClientEvents(Kernel kernel, int vectors) {
    this.kernel = kernel;
    events = new @Nullable Descriptor[vectors];
  }

  int vectors() {
    return events.length;
  }

  /**
   * Signal vectors from {@code first} on by these eventfds, which are owned from now on.
   *
   * @throws ProtocolException if one is something else, writing to which might block; nothing changed then
   */
  void attach(int first, List<Descriptor> given) {
    for (Descriptor descriptor : given) {
      requireEventfd(descriptor);
    }
    Closing closing = new Closing();
    for (int i = 0; i < given.size(); i++) {
      int vector = first + i;
      closing.then(() -> detach(vector));
      events[vector] = given.get(i);
    }
    tellOf(closing);
  }

  /** Those that are given are owned whatever became of those that were there. */
  private static void tellOf(Closing closing) {
    RuntimeException failure = closing.failure();
    if (failure != null) {
      LOG.warn("an eventfd of the client's: {}", failure.getMessage());
    }
  }

  private static void requireEventfd(Descriptor descriptor) {
    try {
      if (Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor.number())).toString().equals(EVENTFD)) {
        return;
      }
    } catch (IOException e) {
      throw new ProtocolException("DEVICE_SET_IRQS: cannot find out whether the descriptor is an eventfd: " + e);
    }
    throw new ProtocolException("DEVICE_SET_IRQS with a descriptor that is no eventfd");
  }

  /** Signal a vector by nothing any more. */
  void detach(int vector) {
    Descriptor event = events[vector];
    if (event != null) {
      events[vector] = null;
      kernel.close(event);
    }
  }

  /** Signal a vector, if there is an eventfd whose counter is not full: then the client has not looked for so long that one more means nothing. */
  void signal(int vector) {
    Descriptor event = events[vector];
    if (event != null && kernel.poll(event, PollEvents.WRITABLE, 0) != 0) {
      EventLoop.signal(kernel, event);
    }
  }

  /** Let go of all; may be repeated. */
  @Override
  public void close() {
    Closing closing = new Closing();
    for (int i = 0; i < events.length; i++) {
      int vector = i;
      closing.then(() -> detach(vector));
    }
    closing.end();
  }
}
