package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Interrupts;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.run.EventWatch;
import io.twostep.machine.linux.vfiouser.protocol.InterruptInfo;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The device's vectors, each an eventfd that the server signals.
 *
 * <p>An eventfd stays with the server once it was passed: vectors are taken away all at once, at the end. One that is disabled counts on, and is delivered when it is enabled.
 */
final class RemoteInterrupts implements Interrupts, AutoCloseable {
  private static final int MOST_VECTORS = 2048;

  private final Kernel kernel;
  private final String name;
  private final RemoteDevice device;
  private final RemoteConfig config;
  private final EventLoop loop;
  private final @Nullable Descriptor[] events;
  private final @Nullable EventWatch[] watches;

  RemoteInterrupts(Kernel kernel, String name, RemoteDevice device, RemoteConfig config, EventLoop loop, InterruptInfo info) {
    this.kernel = kernel;
    this.name = name;
    this.device = device;
    this.config = config;
    this.loop = loop;
    int count = (info.flags() & InterruptInfo.EVENTFD) == 0 || !device.takesDescriptors() ? 0 : Math.min(info.count(), MOST_VECTORS);
    events = new @Nullable Descriptor[count];
    watches = new @Nullable EventWatch[count];
  }

  @Override
  public int count() {
    return events.length;
  }

  @Override
  public void enable(int vector, Runnable handler) {
    Objects.checkIndex(vector, events.length);
    Objects.requireNonNull(handler, "handler");
    while (!tryEnable(vector, handler)) {
      disable(vector);
    }
  }

  /** Returns false if the vector has a handler. */
  private synchronized boolean tryEnable(int vector, Runnable handler) {
    if (watches[vector] != null) {
      return false;
    }
    Descriptor event = events[vector];
    if (event == null) {
      event = attach(vector);
    }
    watches[vector] = loop.watchEvent(event, handler);
    return true;
  }

  private Descriptor attach(int vector) {
    Descriptor event = kernel.eventfd(name + " interrupt " + vector);
    try {
      config.enableVectors();
      device.signalBy(InterruptInfo.MSIX, vector, event);
    } catch (RuntimeException e) {
      RuntimeException told = e instanceof RefusedException ? new DmaMappingException(Reason.BACKEND, e.getMessage() + ", for interrupt vector " + vector, e) : e;
      throw Closing.after(told, () -> kernel.close(event));
    }
    events[vector] = event;
    return event;
  }

  /** A handler that runs is waited for without the lock: it may be about to enable or disable a vector itself. */
  @Override
  public void disable(int vector) {
    EventWatch watch = at(Objects.checkIndex(vector, watches.length));
    if (watch != null) {
      watch.cancel();
      remove(vector, watch);
    }
  }

  @Override
  public boolean await(int vector, long nanos) {
    EventWatch watch = at(Objects.checkIndex(vector, watches.length));
    return watch != null && watch.await(nanos);
  }

  /** Under the lock, which keeps the event open. */
  @Override
  public synchronized void wake(int vector) {
    EventWatch watch = watches[Objects.checkIndex(vector, watches.length)];
    if (watch != null) {
      watch.wake();
    }
  }

  private synchronized @Nullable EventWatch at(int vector) {
    return watches[vector];
  }

  private synchronized void remove(int vector, EventWatch watch) {
    if (watches[vector] == watch) {
      watches[vector] = null;
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
  public void close() {
    for (int i = 0; i < events.length; i++) {
      disable(i);
    }
    detachAll();
  }

  private synchronized void detachAll() {
    List<Descriptor> attached = Arrays.stream(events).filter(Objects::nonNull).toList();
    Arrays.fill(events, null);
    if (!attached.isEmpty()) {
      try {
        device.signalNone(InterruptInfo.MSIX);
      } catch (DmaMappingException | RefusedException e) {
        // A signal that comes later meets a counter that nobody reads.
      }
    }
    new Closing().thenEach(attached, kernel::close).end();
  }
}
