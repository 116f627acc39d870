package io.twostep.machine.model.pci;

import io.twostep.machine.model.pci.ModelInterrupts.Vector;
import io.twostep.machine.model.run.Scheduler;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** The vectors of all functions that wait for delivery, in the order they were signalled. Thread-safe. */
public final class InterruptQueue implements Scheduler.Delivery {
  private final ArrayDeque<Vector> ready = new ArrayDeque<>();
  private volatile boolean any;

  /** Create an empty queue. */
  public InterruptQueue() {}

  synchronized void add(Vector vector) {
    ready.add(vector);
    any = true;
  }

  @Override
  public boolean waiting() {
    return any;
  }

  /** Call the handlers of the vectors that are ready now; those signalled meanwhile wait for the next time. */
  @Override
  public void deliver() {
    if (!any) {
      return;
    }
    for (int left = size(); left > 0; left--) {
      Vector vector = poll();
      if (vector != null) {
        vector.deliver();
      }
    }
  }

  private synchronized @Nullable Vector poll() {
    Vector vector = ready.poll();
    any = !ready.isEmpty();
    return vector;
  }

  private synchronized int size() {
    return ready.size();
  }
}
