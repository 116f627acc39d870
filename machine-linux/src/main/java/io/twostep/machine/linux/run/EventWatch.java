package io.twostep.machine.linux.run;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.EpollEvents;
import io.twostep.machine.linux.kernel.Kernel;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls a handler at every signal of an eventfd: on the thread that waits in {@link #await} if there is one, else on the machine's. Thread-safe.
 *
 * <p>The kernel wakes one of the two and lets the other sleep, so that whoever waits for a device is woken by its interrupt and by nobody in between. The event is not read at a signal: what counts is
 * that it was signalled.
 */
public final class EventWatch {
  private static final Logger LOG = LoggerFactory.getLogger(EventWatch.class);
  private static final int EVERY_SIGNAL = EpollEvents.READABLE | EpollEvents.EDGE | EpollEvents.EXCLUSIVE;
  private static final long LEAVING_NANOS = 50_000;

  private static final int NOBODY = 0;

  /** A thread waits for the event, or is about to, which must be open. */
  private static final int ASLEEP = 1;

  /** It waits no more; the handler may be running on it, or running elsewhere and keeping it waiting. */
  private static final int AWAKE = 2;

  /** Nobody can wait any more, and what one would wait with is closed. */
  private static final int OVER = 3;

  private static final VarHandle WAITER;

  static {
    try {
      WAITER = MethodHandles.lookup().findVarHandle(EventWatch.class, "waiter", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Kernel kernel;
  private final EventLoop loop;
  private final Descriptor event;
  private final Runnable handler;

  /** What a thread waits with. It waits for the event longer than the machine's thread does, which makes it the one to be woken. */
  private final Descriptor turn;

  private final long[] told = new long[1];
  private long token;
  private volatile boolean active = true;
  private volatile int waiter;

  /** Begin to watch, without the machine's thread: {@link #join} is next. */
  EventWatch(Kernel kernel, EventLoop loop, Descriptor event, Runnable handler) {
    this.kernel = kernel;
    this.loop = loop;
    this.event = event;
    this.handler = handler;
    turn = kernel.epoll(event.name() + ": who waits for it");
    try {
      kernel.epollAdd(turn, event, EVERY_SIGNAL, 0);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> kernel.close(turn));
    }
  }

  /** Have the machine's thread watch too, with the set that it waits with, which tells {@code token} of this one. */
  void join(Descriptor all, long token) {
    this.token = token;
    kernel.epollAdd(all, event, EVERY_SIGNAL, token);
  }

  /** Return what the machine's thread is told. */
  long token() {
    return token;
  }

  /** Have the machine's thread watch no more; what the kernel tells it nevertheless, nobody is called for. */
  void leave(Descriptor all) {
    try {
      kernel.epollRemove(all, event);
    } catch (SystemCallException e) {
      LOG.debug("{}: still watched, and nobody called: {}", event.name(), e.getMessage());
    }
  }

  synchronized void run() {
    if (active) {
      try {
        handler.run();
      } catch (RuntimeException | Error e) {
        LOG.warn("{}: what was to be done failed", event.name(), e);
      }
    }
  }

  /**
   * Wait for a signal on the calling thread and call the handler on it; return also when {@code nanos} have passed, at {@link #wake} and {@link #cancel}, or for no reason.
   *
   * @return false at once if another thread waits, the caller is the handler, the kernel refuses to, or the watch was cancelled
   */
  public boolean await(long nanos) {
    if (Thread.holdsLock(this) || !WAITER.compareAndSet(this, NOBODY, ASLEEP)) {
      return false;
    }
    try {
      if (!active) {
        return false;
      }
      int signals = kernel.epollWait(turn, told, Math.max(0, nanos));
      waiter = AWAKE;
      if (signals != 0) {
        run();
      }
      return true;
    } catch (SystemCallException e) {
      LOG.debug("{}: cannot be waited for here: {}", event.name(), e.getMessage());
      return false;
    } finally {
      waiter = NOBODY;
      if (!active) {
        endWaiting();
      }
    }
  }

  /** Have a thread that is in {@link #await} return, or the next that comes; the handler is called by it, or by the machine's thread. The event must still be open. */
  public void wake() {
    try {
      if (!EventLoop.signal(kernel, event)) {
        // Whoever else has the event counted it to its end, and what no longer counts wakes nobody.
        EventLoop.take(kernel, event);
        EventLoop.signal(kernel, event);
      }
    } catch (SystemCallException e) {
      LOG.warn("a thread that waits was not woken, and wakes when its time is up: {}", e.getMessage());
    }
  }

  /** Call no more; when this returns the handler is not running, unless it is the caller, and the event may be closed. */
  public void cancel() {
    boolean inHandler = Thread.holdsLock(this);
    synchronized (this) {
      if (active) {
        active = false;
        loop.forget(this);
        if (waiter == ASLEEP) {
          wake();
        }
      }
    }
    // Whoever is awake may be waiting for the handler that called this, and leaves after it.
    while (waiter == ASLEEP || (waiter == AWAKE && !inHandler)) {
      LockSupport.parkNanos(LEAVING_NANOS);
    }
    endWaiting();
  }

  private void endWaiting() {
    if (WAITER.compareAndSet(this, NOBODY, OVER)) {
      try {
        kernel.close(turn);
      } catch (SystemCallException e) {
        LOG.debug("{}: closed with an error: {}", turn.name(), e.getMessage());
      }
    }
  }
}
