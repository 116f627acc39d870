package io.twostep.machine.model.run;

import io.twostep.dma.spi.Closing;
import java.util.ArrayDeque;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The machine's one lock, with a list of calls to make once the thread that holds it lets go.
 *
 * <p>Models, registers and translation run under it; listeners and handlers never do, so that they may take locks of their own.
 */
public final class MachineLock {
  private final ReentrantLock lock = new ReentrantLock();
  private final ArrayDeque<Runnable> afterwards = new ArrayDeque<>();
  private boolean pending;

  /** Create a free lock. */
  public MachineLock() {}

  /** Take the lock; may be nested. */
  public void enter() {
    lock.lock();
  }

  /** Take the lock if no other thread has it. */
  public boolean tryEnter() {
    return lock.tryLock();
  }

  /** Let go; the outermost call then makes the calls of {@link #afterwards}, each whatever became of those before it, and throws what failed first. */
  public void exit() {
    if (pending && lock.getHoldCount() == 1) {
      exitAndRun();
    } else {
      lock.unlock();
    }
  }

  /** Make a call when the lock is free again; the caller holds it. */
  public void afterwards(Runnable call) {
    afterwards.add(call);
    pending = true;
  }

  private void exitAndRun() {
    Runnable[] calls = afterwards.toArray(new Runnable[0]);
    afterwards.clear();
    pending = false;
    lock.unlock();
    Closing closing = new Closing();
    for (Runnable call : calls) {
      closing.then(call);
    }
    closing.end();
  }
}
