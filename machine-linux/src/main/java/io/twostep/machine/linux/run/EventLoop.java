package io.twostep.machine.linux.run;

import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Timers;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.PollEvents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The machine's clock, and its thread for interrupts and timers, started with the first of them. Thread-safe.
 *
 * <p>What a handler throws is logged: the loop goes on for the others.
 */
public final class EventLoop implements Timers, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EventLoop.class);

  /** Some 20 to 50 ns each with a look at memory: longer than flash takes to be read, so that who polls does not sleep over what is about to come. */
  private static final int SPINS = 16384;

  private static final long SLEEP_NANOS = 50_000;
  private static final int EVENTS_AT_ONCE = 16;
  private static final long LONGEST_WAIT_NANOS = 1_000_000_000;

  /** Times that lie less than half the clock's range apart can be compared. */
  private static final long LONGEST_DELAY_NANOS = Long.MAX_VALUE / 4;

  private static final MemorySegment ONE = Arena.global().allocateFrom(ValueLayout.JAVA_LONG, 1);
  private static final ThreadLocal<MemorySegment> COUNT = ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(ValueLayout.JAVA_LONG));

  private final Kernel kernel;
  private final String machine;
  private final Descriptor wake;
  private final List<Watch> watches = new ArrayList<>();
  private final List<@Nullable EventWatch> eventWatches = new ArrayList<>();
  private @Nullable Descriptor events;
  private long serial;
  private Polled polled;
  private final PriorityQueue<Alarm> alarms = new PriorityQueue<>((a, b) -> Long.signum(a.due - b.due));
  private final long[] tokens = new long[EVENTS_AT_ONCE];
  private @Nullable Thread thread;
  private boolean closed;
  private boolean failing;

  /** Create a loop that does nothing yet; {@code machine} names the machine in messages. */
  public EventLoop(Kernel kernel, String machine) {
    this.kernel = kernel;
    this.machine = machine;
    wake = kernel.eventfd(machine + ": the machine's wake-up call");
    polled = new Polled(wake, null, watches);
  }

  /** What is called when a descriptor can be read. */
  public final class Watch {
    private final Descriptor descriptor;
    private final Runnable handler;
    private boolean active = true;

    private Watch(Descriptor descriptor, Runnable handler) {
      this.descriptor = descriptor;
      this.handler = handler;
    }

    private synchronized void run() {
      if (active) {
        try {
          handler.run();
        } catch (RuntimeException | Error e) {
          LOG.warn("{}: what was to be done failed", descriptor.name(), e);
        }
      }
    }

    /** Call no more; when this returns the handler is not running, unless it is the caller. */
    public void cancel() {
      synchronized (this) {
        active = false;
      }
      synchronized (EventLoop.this) {
        watches.remove(this);
        polled = new Polled(wake, events, watches);
        if (!closed) {
          wakeUp();
        }
      }
    }
  }

  /** Call {@code handler} on the machine's thread whenever the descriptor can be read; it must read it, and must not block. Interrupts are for {@link #watchEvent}. */
  public synchronized Watch watch(Descriptor descriptor, Runnable handler) {
    requireOpen();
    Watch watch = new Watch(descriptor, handler);
    watches.add(watch);
    polled = new Polled(wake, events, watches);
    start();
    return watch;
  }

  /** Call {@code handler} at every signal of an eventfd; it must not block, and need not read. */
  public EventWatch watchEvent(Descriptor event, Runnable handler) {
    EventWatch watch = new EventWatch(kernel, this, event, handler);
    try {
      add(watch);
      return watch;
    } catch (RuntimeException e) {
      throw Closing.after(e, watch::cancel);
    }
  }

  private synchronized void add(EventWatch watch) {
    requireOpen();
    Descriptor all = events;
    if (all == null) {
      all = kernel.epoll(machine + ": events that the machine's thread waits for");
      events = all;
      polled = new Polled(wake, all, watches);
    }
    int place = eventWatches.indexOf(null);
    if (place < 0) {
      place = eventWatches.size();
      eventWatches.add(null);
    }
    watch.join(all, ++serial << Integer.SIZE | place);
    eventWatches.set(place, watch);
    start();
  }

  /** Forget a watch, if it was added. */
  synchronized void forget(EventWatch watch) {
    Descriptor all = events;
    int place = eventWatches.indexOf(watch);
    if (all != null && place >= 0) {
      eventWatches.set(place, null);
      if (!closed) {
        watch.leave(all);
      }
    }
  }

  @Override
  public long nanoTime() {
    return System.nanoTime();
  }

  @Override
  public Timer schedule(long delayNanos, Runnable task) {
    return scheduleAt(System.nanoTime() + Math.clamp(delayNanos, 0, LONGEST_DELAY_NANOS), task);
  }

  /** Run {@code task} when the machine's clock shows {@code due}. */
  synchronized Timer scheduleAt(long due, Runnable task) {
    requireOpen();
    Alarm alarm = new Alarm(due, task);
    alarms.add(alarm);
    start();
    return () -> {
      synchronized (this) {
        return alarms.remove(alarm);
      }
    };
  }

  /** Two of the same task and time are two. */
  private static final class Alarm {
    final long due;
    final Runnable task;

    Alarm(long due, Runnable task) {
      this.due = due;
      this.task = task;
    }
  }

  /** Spin, then sleep between looks. No clock is read: where it is a device, as in many guests, reading it takes longer than looking for what is waited for, and holds the device up. */
  @Override
  public void pause(int times) {
    if (times >= 0 && times <= SPINS) {
      Thread.onSpinWait();
    } else {
      LockSupport.parkNanos(SLEEP_NANOS);
    }
  }

  private void start() {
    if (thread == null) {
      thread = Thread.ofPlatform().daemon().name("twostep-machine").start(this::loop);
    } else {
      wakeUp();
    }
  }

  /** A call that is not heard costs at most {@link #LONGEST_WAIT_NANOS}. */
  private void wakeUp() {
    try {
      signal(kernel, wake);
    } catch (SystemCallException e) {
      LOG.warn("the machine's thread was not woken, and wakes a little later: {}", e.getMessage());
    }
  }

  /** What the loop waits for, as long as nobody joins or leaves: the wake-up call, the watches, then all events as one. */
  private static final class Polled {
    final @Nullable Descriptor all;
    final Watch[] watches;
    final List<Descriptor> descriptors;
    final short[] events;
    final short[] ready;

    Polled(Descriptor wake, @Nullable Descriptor all, List<Watch> watches) {
      this.all = all;
      this.watches = watches.toArray(Watch[]::new);
      descriptors = new ArrayList<>(List.of(wake));
      watches.forEach(watch -> descriptors.add(watch.descriptor));
      if (all != null) {
        descriptors.add(all);
      }
      events = new short[descriptors.size()];
      Arrays.fill(events, PollEvents.READABLE);
      ready = new short[descriptors.size()];
    }
  }

  private void loop() {
    while (true) {
      Polled now;
      long timeout;
      synchronized (this) {
        if (closed) {
          return;
        }
        now = polled;
        timeout = alarms.isEmpty() ? LONGEST_WAIT_NANOS : Math.clamp(alarms.peek().due - System.nanoTime(), 0, LONGEST_WAIT_NANOS);
      }
      tryWait(now, timeout);
      runDue();
    }
  }

  /** Interrupts and timers go on, if more slowly, while the kernel refuses to wait; the first refusal of a row is logged. */
  private void tryWait(Polled now, long timeout) {
    try {
      wait(now, timeout);
      failing = false;
    } catch (SystemCallException e) {
      if (!failing) {
        failing = true;
        LOG.warn("cannot wait for interrupts, and looks for them now and then: {}", e.getMessage());
      }
      LockSupport.parkNanos(SLEEP_NANOS);
    }
  }

  private void wait(Polled now, long timeout) {
    kernel.poll(now.descriptors, now.events, now.ready, timeout);
    if (now.ready[0] != 0) {
      take(kernel, wake);
    }
    for (int i = 0; i < now.watches.length; i++) {
      if (now.ready[i + 1] != 0) {
        now.watches[i].run();
      }
    }
    if (now.all != null && now.ready[now.ready.length - 1] != 0) {
      int count = kernel.epollWait(now.all, tokens, 0);
      for (int i = 0; i < count; i++) {
        signalled(tokens[i]);
      }
    }
  }

  private void signalled(long token) {
    EventWatch watch;
    synchronized (this) {
      watch = eventWatches.get((int) token);
    }
    // Its place may be another's by now.
    if (watch != null && watch.token() == token) {
      watch.run();
    }
  }

  /** What becomes due meanwhile waits for the next round: a task that is due again at once would let nothing else run. */
  private void runDue() {
    long now = System.nanoTime();
    while (true) {
      Alarm due;
      synchronized (this) {
        due = alarms.peek();
        if (due == null || due.due - now > 0) {
          return;
        }
        alarms.remove();
      }
      try {
        due.task.run();
      } catch (RuntimeException | Error e) {
        LOG.warn("a timer's task failed", e);
      }
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the machine is closed");
    }
  }

  /** Count an event up by one; false, and nobody hears of it, if it cannot count any higher. */
  public static boolean signal(Kernel kernel, Descriptor event) {
    return kernel.write(event, ONE) >= 0;
  }

  /** Take an event's count back to 0, and return what it was. */
  public static long take(Kernel kernel, Descriptor event) {
    MemorySegment count = COUNT.get();
    return kernel.read(event, count) == Long.BYTES ? count.get(ValueLayout.JAVA_LONG, 0) : 0;
  }

  /** Stop the thread; timers that are not due never run. Not to be called on the machine's own thread. */
  @Override
  public void close() {
    Thread running;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      running = thread;
    }
    if (running != null) {
      wakeUp();
      join(running);
    }
    Descriptor all = events;
    Closing closing = new Closing().then(() -> kernel.close(wake));
    if (all != null) {
      closing.then(() -> kernel.close(all));
    }
    closing.end();
  }

  private static void join(Thread running) {
    boolean interrupted = false;
    while (true) {
      try {
        running.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
