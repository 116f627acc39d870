package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.Interrupts;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.vfiouser.protocol.InterruptInfo;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The device's vectors, each an eventfd that the server signals.
 *
 * <p>An eventfd stays with the server once it was passed: vectors are taken away all at once, at the end. One that is disabled counts on, and is delivered when it is enabled again.
 */
final class RemoteInterrupts implements Interrupts, AutoCloseable {
  private static final int MOST_VECTORS = 2048;

  private final Kernel kernel;
  private final String name;
  private final RemoteDevice device;
  private final RemoteConfig config;
  private final EventLoop loop;
  private final @Nullable Descriptor[] events;
  private final EventLoop.@Nullable Watch[] watches;

  RemoteInterrupts(Kernel kernel, String name, RemoteDevice device, RemoteConfig config, EventLoop loop, InterruptInfo info) {
    this.kernel = kernel;
    this.name = name;
    this.device = device;
    this.config = config;
    this.loop = loop;
    int count = (info.flags() & InterruptInfo.EVENTFD) == 0 || !device.takesDescriptors() ? 0 : Math.min(info.count(), MOST_VECTORS);
    events = new @Nullable Descriptor[count];
    watches = new EventLoop.@Nullable Watch[count];
  }

  @Override
  public int count() {
    return events.length;
  }

  @Override
  public synchronized void enable(int vector, Runnable handler) {
    Objects.checkIndex(vector, events.length);
    Objects.requireNonNull(handler, "handler");
    disable(vector);
    Descriptor event = events[vector];
    if (event == null) {
      event = attach(vector);
    }
    Descriptor counter = event;
    watches[vector] =
        loop.watch(
            counter,
            () -> {
              EventLoop.take(kernel, counter);
              handler.run();
            });
  }

  private Descriptor attach(int vector) {
    Descriptor event = kernel.eventfd(name + " interrupt " + vector);
    try {
      config.enableVectors();
      device.signalBy(InterruptInfo.MSIX, vector, event);
    } catch (RuntimeException e) {
      kernel.close(event);
      throw e instanceof RefusedException ? new DmaMappingException(Reason.BACKEND, e.getMessage() + ", for interrupt vector " + vector, e) : e;
    }
    events[vector] = event;
    return event;
  }

  @Override
  public synchronized void disable(int vector) {
    EventLoop.Watch watch = watches[Objects.checkIndex(vector, watches.length)];
    if (watch != null) {
      watches[vector] = null;
      watch.cancel();
    }
  }

  /** Tell the server of its vectors again, after a reset. */
  synchronized void restore() {
    for (int i = 0; i < events.length; i++) {
      Descriptor event = events[i];
      if (event != null) {
        config.enableVectors();
        device.signalBy(InterruptInfo.MSIX, i, event);
      }
    }
  }

  /** Have the server signal nothing any more, if it listens, and close the eventfds; may be repeated. */
  @Override
  public synchronized void close() {
    boolean attached = false;
    for (int i = 0; i < events.length; i++) {
      disable(i);
      attached |= events[i] != null;
    }
    if (attached) {
      try {
        device.signalNone(InterruptInfo.MSIX);
      } catch (DmaMappingException | RefusedException e) {
        // A signal that comes later meets a counter that nobody reads.
      }
    }
    for (int i = 0; i < events.length; i++) {
      Descriptor event = events[i];
      if (event != null) {
        events[i] = null;
        kernel.close(event);
      }
    }
  }
}
