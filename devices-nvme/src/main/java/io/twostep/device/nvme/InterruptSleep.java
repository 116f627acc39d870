package io.twostep.device.nvme;

import io.twostep.dma.spi.Interrupts;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/** The place where one thread sleeps until a vector's interrupt, for whichever of its queues. A second one is not let in: what wakes one might be meant for the other. */
final class InterruptSleep {
  /** What an interrupt that gets lost costs at most. */
  static final long LONGEST_NANOS = 10_000_000;

  private static final VarHandle SLEEPER;

  static {
    try {
      SLEEPER = MethodHandles.lookup().findVarHandle(InterruptSleep.class, "sleeper", Thread.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Interrupts interrupts;
  private final int vector;
  private volatile @Nullable Thread sleeper;

  InterruptSleep(Interrupts interrupts, int vector) {
    this.interrupts = interrupts;
    this.vector = vector;
  }

  /**
   * Take the place. From now on {@link #wakeOther} reaches the calling thread; what was done before it may not have, and is looked at once more before {@link #await}.
   *
   * @return false if another has it, or the thread is virtual, and would keep others from running
   */
  boolean tryBegin() {
    Thread thread = Thread.currentThread();
    if (thread.isVirtual() || !SLEEPER.compareAndSet(this, null, thread)) {
      return false;
    }
    VarHandle.fullFence();
    return true;
  }

  /** Sleep, and take the interrupt on this thread; false if that cannot be done here and now. */
  boolean await() {
    return interrupts.await(vector, LONGEST_NANOS);
  }

  void end() {
    sleeper = null;
  }

  /** Wake the thread that sleeps, unless it is this one, after something was done that it may wait for. */
  void wakeOther() {
    VarHandle.fullFence();
    Thread asleep = sleeper;
    if (asleep != null && asleep != Thread.currentThread()) {
      interrupts.wake(vector);
    }
  }
}
