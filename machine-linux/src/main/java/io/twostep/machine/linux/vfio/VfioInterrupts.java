package io.twostep.machine.linux.vfio;

import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Interrupts;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.run.EventWatch;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A device's interrupts as events: MSI-X where it has them, else MSI, else its line.
 *
 * <p>The first vector that is enabled sets up all of them, most without an event: the kernel cannot add vectors later without stopping those that run.
 */
public final class VfioInterrupts implements Interrupts, AutoCloseable {
  private final Kernel kernel;
  private final VfioDevice device;
  private final EventLoop loop;
  private final int index;
  private final int count;
  private final @Nullable Vector[] vectors;
  private boolean set;

  private record Vector(Descriptor event, EventWatch watch) {}

  /** Look at what the device has; at most {@code most} vectors of it are used. */
  public VfioInterrupts(Kernel kernel, VfioDevice device, EventLoop loop, int most) {
    this.kernel = kernel;
    this.device = device;
    this.loop = loop;
    int best = InterruptLayout.INDEX_MSIX;
    while (best > InterruptLayout.INDEX_INTX && device.vectors(best) == 0) {
      best--;
    }
    index = best;
    count = Math.min(most, device.vectors(best));
    vectors = new @Nullable Vector[count];
  }

  @Override
  public int count() {
    return count;
  }

  @Override
  public void enable(int vector, Runnable handler) {
    Objects.checkIndex(vector, count);
    Objects.requireNonNull(handler, "handler");
    Descriptor event = kernel.eventfd(device + " interrupt " + vector);
    EventWatch watch;
    try {
      watch = loop.watchEvent(event, index == InterruptLayout.INDEX_INTX ? () -> deliverLine(handler) : handler);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.close(event));
    }
    Vector added = new Vector(event, watch);
    try {
      while (!tryAdd(vector, added)) {
        disable(vector);
      }
    } catch (RuntimeException e) {
      // Without the lock, as in disable: the handler may have been called already.
      throw Closing.after(e, watch::cancel, () -> kernel.close(event));
    }
  }

  /** Returns false if the vector has a handler. */
  private synchronized boolean tryAdd(int vector, Vector added) {
    if (vectors[vector] != null) {
      return false;
    }
    wire(vector, added.event);
    vectors[vector] = added;
    return true;
  }

  private void deliverLine(Runnable handler) {
    try {
      handler.run();
    } finally {
      device.unmaskLine();
    }
  }

  private void wire(int vector, Descriptor event) {
    if (set) {
      device.signal(index, vector, List.of(event));
      if (index == InterruptLayout.INDEX_INTX) {
        unmaskOrUnwire(vector);
      }
      return;
    }
    List<Descriptor> events = new ArrayList<>(Collections.nCopies(count, Descriptor.NONE));
    events.set(vector, event);
    device.signal(index, 0, events);
    set = true;
  }

  /** The line may have fired, and masked itself, when nobody was there to unmask it. */
  private void unmaskOrUnwire(int vector) {
    try {
      device.unmaskLine();
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> device.signal(index, vector, List.of(Descriptor.NONE)));
    }
  }

  /** A handler that runs is waited for without the lock: it may be about to enable or disable a vector itself. */
  @Override
  public void disable(int vector) {
    Vector old = at(Objects.checkIndex(vector, count));
    if (old != null) {
      old.watch.cancel();
      remove(vector, old);
    }
  }

  @Override
  public boolean await(int vector, long nanos) {
    Vector awaited = at(Objects.checkIndex(vector, count));
    return awaited != null && awaited.watch.await(nanos);
  }

  /** Under the lock, which keeps the event open. */
  @Override
  public synchronized void wake(int vector) {
    Vector awaited = vectors[Objects.checkIndex(vector, count)];
    if (awaited != null) {
      awaited.watch.wake();
    }
  }

  private synchronized @Nullable Vector at(int vector) {
    return vectors[vector];
  }

  private synchronized void remove(int vector, Vector old) {
    if (vectors[vector] != old) {
      return;
    }
    vectors[vector] = null;
    Closing closing = new Closing();
    if (set) {
      closing.then(() -> device.signal(index, vector, List.of(Descriptor.NONE)));
    }
    closing.then(() -> kernel.close(old.event)).end();
  }

  /** Stop delivering, on every vector. */
  @Override
  public void close() {
    Closing closing = new Closing().then(this::silence);
    for (int i = 0; i < count; i++) {
      int vector = i;
      closing.then(() -> disable(vector));
    }
    closing.end();
  }

  private synchronized void silence() {
    if (set) {
      set = false;
      device.silence(index);
    }
  }
}
