package io.twostep.machine.model.run;

import io.twostep.dma.spi.Timers;
import io.twostep.machine.model.memory.Rng;
import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Let the machine go on, one {@link #pause} at a time: due timers, then a turn for every model that is awake, then interrupts.
 *
 * <p>Virtual time moves by a fixed step with every pause in which something happened, and jumps to the next timer when nothing is left to do. With no timer either
 * it creeps, ever faster, so that a caller who waits for a deadline reaches it. The same calls give the same run.
 */
public final class Scheduler implements Timers {
  private static final int STEP_BUDGET = 64;
  private static final long SLOWEST_CREEP_NANOS = 1_000;
  private static final int CREEP_DOUBLING = 16;
  private static final int MOST_CREEP_DOUBLINGS = 10;
  private static final int SPINS = 1_000;
  private static final long NAP_NANOS = 50_000;

  /** Times that lie less than half the clock's range apart can be compared. */
  private static final long LONGEST_DELAY_NANOS = Long.MAX_VALUE / 4;

  /** Something that gets turns. */
  public interface Turn {
    /** Work a little; returns whether there is more to do at once. Under the machine's lock. */
    boolean step(int budget);
  }

  /** Something to call without the lock after every turn. */
  public interface Delivery {
    /** Tell whether anything waits. */
    boolean waiting();

    /** Call what waits. */
    void deliver();
  }

  private static final Turn NOBODY = budget -> false;

  private final MachineLock lock;
  private final boolean virtual;
  private final long stepNanos;
  private final @Nullable Rng order;
  private final Delivery interrupts;
  private final PriorityQueue<Task> timers = new PriorityQueue<>();
  private final List<Turn> awake = new ArrayList<>();
  private final List<Turn> round = new ArrayList<>();
  private final AtomicLong virtualNow = new AtomicLong();
  private long sequence;
  private int idle;
  private boolean stepping;
  private long steps;

  /**
   * Create a scheduler.
   *
   * @param virtual whether time is virtual
   * @param stepNanos virtual nanoseconds a pause takes in which something happened
   * @param order draws the order of turns; null for first come, first served
   */
  public Scheduler(MachineLock lock, boolean virtual, long stepNanos, @Nullable Rng order, Delivery interrupts) {
    this.lock = lock;
    this.virtual = virtual;
    this.stepNanos = stepNanos;
    this.order = order;
    this.interrupts = interrupts;
  }

  @Override
  public long nanoTime() {
    return virtual ? virtualNow.getAcquire() : System.nanoTime();
  }

  @Override
  public Timer schedule(long delayNanos, Runnable task) {
    return schedule(delayNanos, task, null);
  }

  /** Wake a model some time from now; the caller holds the lock. */
  public void wakeAfter(long delayNanos, Turn turn) {
    schedule(delayNanos, () -> wake(turn), turn);
  }

  private Task schedule(long delayNanos, Runnable work, @Nullable Turn woken) {
    lock.enter();
    try {
      Task task = new Task(this, nanoTime() + Math.clamp(delayNanos, 0, LONGEST_DELAY_NANOS), sequence++, work, woken);
      timers.add(task);
      return task;
    } finally {
      lock.exit();
    }
  }

  /** Give a model turns until it has nothing more to do; the caller holds the lock. */
  public void wake(Turn turn) {
    if (!awake.contains(turn)) {
      awake.add(turn);
    }
  }

  /** Give a model no more turns, those of {@link #wakeAfter} included; the caller holds the lock. */
  public void forget(Turn turn) {
    awake.remove(turn);
    timers.removeIf(task -> task.woken == turn);
    round.replaceAll(t -> t == turn ? NOBODY : t);
  }

  @Override
  public void pause(int times) {
    if (!lock.tryEnter()) {
      Thread.onSpinWait();
      return;
    }
    Task due;
    long end;
    boolean resting = false;
    try {
      if (stepping) {
        return;
      }
      end = sequence;
      due = takeDue(end);
      if (stepAwake(due) || due != null) {
        idle = 0;
        advance(stepNanos);
      } else {
        resting = !interrupts.waiting();
        if (resting && virtual) {
          rest();
        }
      }
    } finally {
      lock.exit();
    }
    while (due != null) {
      due.run();
      due = takeDueLocked(end);
    }
    interrupts.deliver();
    if (resting && !virtual) {
      nap();
    }
  }

  /** Give a turn to all that are awake; {@code due} waits on if one of them throws. */
  private boolean stepAwake(@Nullable Task due) {
    if (awake.isEmpty()) {
      return false;
    }
    stepping = true;
    boolean done = false;
    try {
      for (int i = 0; i < awake.size(); i++) {
        round.add(awake.get(i));
      }
      awake.clear();
      for (int left = round.size(); left > 0; left--) {
        Turn turn = round.remove(order == null ? 0 : order.below(left));
        steps++;
        if (turn.step(STEP_BUDGET)) {
          wake(turn);
        }
      }
      done = true;
    } finally {
      if (!done && due != null) {
        due.started = false;
        timers.add(due);
      }
      for (int i = 0; i < round.size(); i++) {
        wake(round.get(i));
      }
      round.clear();
      stepping = false;
    }
    return true;
  }

  /** Nothing happened: jump to the next timer, or creep. */
  private void rest() {
    Task next = timers.peek();
    if (next != null) {
      idle = 0;
      advance(Math.max(0, next.at - virtualNow.getPlain()));
    } else {
      advance(SLOWEST_CREEP_NANOS << Math.min(idle++ / CREEP_DOUBLING, MOST_CREEP_DOUBLINGS));
    }
  }

  private void nap() {
    if (++idle > SPINS) {
      LockSupport.parkNanos(NAP_NANOS);
    } else {
      Thread.onSpinWait();
    }
  }

  private void advance(long nanos) {
    if (virtual) {
      virtualNow.setRelease(virtualNow.getPlain() + nanos);
    }
  }

  private @Nullable Task takeDueLocked(long end) {
    lock.enter();
    try {
      return takeDue(end);
    } finally {
      lock.exit();
    }
  }

  /** Take the next due task that has to run without the lock, running the others; what was made from {@code end} on waits, or a task that makes itself again would keep a pause from ending. */
  private @Nullable Task takeDue(long end) {
    while (true) {
      Task next = timers.peek();
      if (next == null || next.at - nanoTime() > 0 || next.sequence >= end) {
        return null;
      }
      timers.remove();
      next.started = true;
      if (next.woken == null) {
        return next;
      }
      next.run();
    }
  }

  private boolean cancel(Task task) {
    lock.enter();
    try {
      return !task.started && timers.remove(task);
    } finally {
      lock.exit();
    }
  }

  /** Return how many turns were given. */
  public long steps() {
    return steps;
  }

  /** Return how many timers wait. */
  public int waiting() {
    lock.enter();
    try {
      return timers.size();
    } finally {
      lock.exit();
    }
  }

  private static final class Task implements Timer, Comparable<Task> {
    final Scheduler owner;
    final long at;
    final long sequence;
    final Runnable work;

    /** Whose turn it brings, under the lock; null for what runs without it. */
    final @Nullable Turn woken;

    boolean started;

    Task(Scheduler owner, long at, long sequence, Runnable work, @Nullable Turn woken) {
      this.owner = owner;
      this.at = at;
      this.sequence = sequence;
      this.work = work;
      this.woken = woken;
    }

    void run() {
      work.run();
    }

    @Override
    public boolean cancel() {
      return owner.cancel(this);
    }

    @Override
    public int compareTo(Task other) {
      int byTime = Long.compare(at - other.at, 0);
      return byTime != 0 ? byTime : Long.compare(sequence, other.sequence);
    }
  }
}
