package io.twostep.device.nvme.host;

import io.twostep.dma.spi.Timers;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Keeps a queue to one thread at a time, at the price of one compare-and-set: its user's thread, or a reset that takes all queues.
 *
 * <p>Not reentrant: no foreign code runs inside.
 */
public final class QueueGuard {
  private static final int SPINS = 64;
  private static final VarHandle TAKEN;

  static {
    try {
      TAKEN = MethodHandles.lookup().findVarHandle(QueueGuard.class, "taken", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  @SuppressWarnings("unused") // written through TAKEN
  private boolean taken;

  /** Create a free guard. */
  public QueueGuard() {}

  /** Enter unless someone is inside. */
  public boolean tryEnter() {
    return TAKEN.compareAndSet(this, false, true);
  }

  /** Enter, letting the machine go on while someone else is inside. */
  public void enter(Timers timers) {
    int spins = 0;
    while (!tryEnter()) {
      if (++spins < SPINS) {
        Thread.onSpinWait();
      } else {
        timers.pause(spins);
      }
    }
  }

  /** Leave. Release order: whoever enters next sees everything done inside. */
  public void exit() {
    TAKEN.setRelease(this, false);
  }
}
