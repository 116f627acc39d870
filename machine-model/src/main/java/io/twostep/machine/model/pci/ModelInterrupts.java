package io.twostep.machine.model.pci;

import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Timers;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A function's interrupt vectors.
 *
 * <p>A signalled vector stays pending until it has a handler; handlers run when the thread that runs the machine delivers, never under a lock, one call of a
 * vector at a time. A signal during the call makes another. A masked vector, and every vector while the function may not signal, stays pending too.
 */
final class ModelInterrupts implements Interrupts {
  /** What an MSI-X capability can count. */
  private static final int MOST_VECTORS = 2048;

  /** Pauses after which a thread that waits sets a timer for the end of its wait. */
  private static final int PATIENCE = 32;

  private final String device;
  private final Vector[] vectors;
  private final Runnable onEnable;
  private final Timers timers;

  /**
   * Create vectors that are masked and may not signal.
   *
   * @param device named in messages
   * @param onEnable called before a handler is set, to let the function signal
   * @param timers lets the machine go on for a thread that waits
   */
  ModelInterrupts(String device, int count, InterruptQueue queue, Runnable onEnable, Timers timers) {
    if (count < 0 || count > MOST_VECTORS) {
      throw new IllegalArgumentException(device + ": vectors() is " + count + "; a function has 0 to " + MOST_VECTORS);
    }
    this.device = device;
    this.onEnable = onEnable;
    this.timers = timers;
    vectors = new Vector[count];
    for (int i = 0; i < count; i++) {
      vectors[i] = new Vector(queue);
    }
  }

  @Override
  public int count() {
    return vectors.length;
  }

  @Override
  public void enable(int vector, Runnable handler) {
    Vector enabled = at(vector);
    Objects.requireNonNull(handler, "handler");
    onEnable.run();
    enabled.enable(handler);
  }

  @Override
  public void disable(int vector) {
    at(vector).disable();
  }

  /** The machine runs on the thread that waits: that is the one that delivers, unless another lets it go on too. */
  @Override
  public boolean await(int vector, long nanos) {
    Vector awaited = at(vector);
    if (!awaited.tryBeginWait()) {
      return false;
    }
    long start = timers.nanoTime();
    Timers.Timer timer = null;
    try {
      for (int pauses = 0; awaited.isAwaited() && (pauses == 0 || timers.nanoTime() - start < nanos); pauses++) {
        if (pauses == PATIENCE) {
          // A virtual clock with nothing to do moves only to timers.
          timer = timers.schedule(nanos - (timers.nanoTime() - start), () -> {});
        }
        timers.pause();
      }
      return true;
    } finally {
      awaited.endWait();
      if (timer != null) {
        timer.cancel();
      }
    }
  }

  @Override
  public void wake(int vector) {
    at(vector).wake();
  }

  void signal(int vector) {
    at(vector).signal();
  }

  /** Let the whole function signal, or stop it. */
  void open(boolean open) {
    for (Vector vector : vectors) {
      vector.open(open);
    }
  }

  void mask(int vector, boolean masked) {
    at(vector).mask(masked);
  }

  boolean masked(int vector) {
    return at(vector).masked();
  }

  boolean pending(int vector) {
    return at(vector).pending();
  }

  /** Forget what is pending, after a reset. */
  void clear() {
    for (Vector vector : vectors) {
      vector.clear();
    }
  }

  private Vector at(int vector) {
    if (vector < 0 || vector >= vectors.length) {
      throw new IndexOutOfBoundsException(device + ": vector " + vector + "; the model has " + vectors.length);
    }
    return vectors[vector];
  }

  /** One vector. */
  static final class Vector {
    private final InterruptQueue queue;
    private @Nullable Runnable handler;
    private boolean open;
    private boolean masked = true;
    private boolean pending;
    private boolean queued;
    private @Nullable Thread running;
    private boolean waiter;
    private boolean awaited;
    private boolean woken;

    Vector(InterruptQueue queue) {
      this.queue = queue;
    }

    synchronized void enable(Runnable newHandler) {
      handler = newHandler;
      masked = false;
      enqueueIfReady();
    }

    synchronized void open(boolean nowOpen) {
      open = nowOpen;
      enqueueIfReady();
    }

    synchronized void mask(boolean nowMasked) {
      masked = nowMasked;
      enqueueIfReady();
    }

    synchronized boolean masked() {
      return masked;
    }

    synchronized boolean pending() {
      return pending;
    }

    /** Begin to wait until the next delivery, if there is a handler and nobody waits yet; one that is woken already waits for nothing. */
    synchronized boolean tryBeginWait() {
      if (handler == null || waiter || running == Thread.currentThread()) {
        return false;
      }
      waiter = true;
      awaited = !woken;
      woken = false;
      return true;
    }

    synchronized boolean isAwaited() {
      return awaited;
    }

    synchronized void endWait() {
      waiter = false;
      awaited = false;
    }

    synchronized void wake() {
      woken = !waiter;
      awaited = false;
    }

    synchronized void disable() {
      handler = null;
      masked = true;
      awaited = false;
      boolean interrupted = false;
      while (running != null && running != Thread.currentThread()) {
        try {
          wait();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }

    synchronized void signal() {
      pending = true;
      enqueueIfReady();
    }

    synchronized void clear() {
      pending = false;
    }

    private void enqueueIfReady() {
      if (ready() && !queued) {
        queued = true;
        queue.add(this);
      }
    }

    private boolean ready() {
      return pending && open && !masked && handler != null && running == null;
    }

    void deliver() {
      Runnable call;
      synchronized (this) {
        queued = false;
        call = handler;
        if (call == null || !ready()) {
          return;
        }
        pending = false;
        running = Thread.currentThread();
      }
      try {
        call.run();
      } finally {
        synchronized (this) {
          running = null;
          // Also whoever is only about to wait: he may have looked before the handler ran.
          wake();
          enqueueIfReady();
          notifyAll();
        }
      }
    }
  }
}
