package io.twostep.machine.model.pci;

import io.twostep.dma.spi.Interrupts;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A function's interrupt vectors.
 *
 * <p>A signalled vector stays pending until it has a handler; handlers run when the thread that runs the machine delivers, never under a lock, one call of a
 * vector at a time. A signal during the call makes another.
 */
final class ModelInterrupts implements Interrupts {
  private final Vector[] vectors;

  ModelInterrupts(int count, InterruptQueue queue) {
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
    at(vector).enable(Objects.requireNonNull(handler, "handler"));
  }

  @Override
  public void disable(int vector) {
    at(vector).disable();
  }

  void signal(int vector) {
    at(vector).signal();
  }

  /** Forget what is pending, after a reset. */
  void clear() {
    for (Vector vector : vectors) {
      vector.clear();
    }
  }

  private Vector at(int vector) {
    return vectors[Objects.checkIndex(vector, vectors.length)];
  }

  /** One vector. */
  static final class Vector {
    private final InterruptQueue queue;
    private @Nullable Runnable handler;
    private boolean pending;
    private boolean queued;
    private @Nullable Thread running;

    Vector(InterruptQueue queue) {
      this.queue = queue;
    }

    synchronized void enable(Runnable newHandler) {
      handler = newHandler;
      enqueueIfReady();
    }

    synchronized void disable() {
      handler = null;
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
      if (pending && handler != null && running == null && !queued) {
        queued = true;
        queue.add(this);
      }
    }

    void deliver() {
      Runnable call;
      synchronized (this) {
        queued = false;
        call = handler;
        if (!pending || call == null || running != null) {
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
          enqueueIfReady();
          notifyAll();
        }
      }
    }
  }
}
