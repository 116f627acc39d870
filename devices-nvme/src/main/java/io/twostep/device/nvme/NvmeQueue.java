package io.twostep.device.nvme;

import io.twostep.device.nvme.host.QueueGuard;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Timers;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * One I/O queue pair: requests in, completions out, in whatever order the controller chooses.
 *
 * <p>Meant for one thread at a time, which submits and polls; more than one is safe but they wait for each other. Completions are found by {@link #poll}
 * and {@link #await}, and with interrupts also by the machine's thread; deadlines are watched by the same calls, so whoever submits
 * must poll or wait now and then. With interrupts, one platform thread at a time of all those
 * whose queues share a vector sleeps in {@link #await} until the controller wakes it, where the machine can do that; others, and virtual threads, look again and again. A request that is submitted and completed on a warm queue allocates nothing on the heap.
 */
public final class NvmeQueue {
  /** Pauses between looks at the controller's registers, which take longer than many looks at memory: a power of two. */
  private static final int PAUSES_PER_LOOK = 256;

  /** Pauses after which a timer is set: on a real machine that wakes a thread, so that a request which is merely slow gets none. */
  private static final int PATIENCE = 16384;

  /** Whether this thread is inside an interrupt handler, where a callback that submits or rings must not wait for a guard. */
  private static final ThreadLocal<Boolean> IN_HANDLER = ThreadLocal.withInitial(() -> Boolean.FALSE);

  private final ControllerCore core;
  private final int id;
  private final int depth;
  private final Timers timers;
  private final QueueGuard guard = new QueueGuard();
  private final RingMemory rings;
  private final QueueEngine engine;
  private final @Nullable InterruptSleep sleep;

  private volatile boolean interruptPending;

  /**
   * Make a queue that its controller does not know yet; {@code memory} is owned, also if this throws.
   *
   * @param sleep where its interrupt is waited for, with other queues of its vector; null to be polled
   */
  NvmeQueue(ControllerCore core, int id, int depth, TransferRules rules, SubmissionMemory memory, @Nullable InterruptSleep sleep) {
    this.core = core;
    this.id = id;
    this.depth = depth;
    timers = core.timers();
    this.sleep = sleep;
    rings = new RingMemory(core, id, depth, memory);
    try {
      engine = new QueueEngine(core, id, depth, rules, rings);
    } catch (RuntimeException e) {
      throw Closing.after(e, rings::close);
    }
  }

  /** Return the queue's number, from 1. */
  public int id() {
    return id;
  }

  /** Return how many commands can be outstanding: one less than the entries. */
  public int capacity() {
    return depth - 1;
  }

  /** Return how many commands are outstanding or waiting to be tried again. */
  public int outstanding() {
    return engine.held();
  }

  /** Submit a request and ring the doorbell; as {@link #trySubmit(NvmeBio, boolean)}. */
  public boolean trySubmit(NvmeBio bio) {
    return trySubmit(bio, true);
  }

  /**
   * Submit a request, if there is room for its first command.
   *
   * <p>A request that needs more commands than there is room for is taken too; the rest follows as others complete, and no other request overtakes it.
   *
   * @param last whether to ring the doorbell now; with false the controller learns of it by a later submission, {@link #ring} or {@link #poll}
   * @return false if the queue is full, out of descriptor memory, or its controller is quiesced or being reset: poll and try again; the request is untouched
   * @throws NvmeException GONE if the controller is closed, dead or pulled out
   * @throws IllegalArgumentException if the request's memory is too short, or cannot be described to this controller
   * @throws io.twostep.dma.DmaMappingException if its memory cannot be mapped
   * @throws IllegalStateException if the request is under way
   */
  public boolean trySubmit(NvmeBio bio, boolean last) {
    NvmeNamespace namespace = bio.target();
    namespace.requireSupported(bio, core);
    bio.begin();
    boolean taken = false;
    NvmeBio finished;
    if (!guard.tryEnter()) {
      if (IN_HANDLER.get()) {
        bio.takeBack();
        return false;
      }
      guard.enter(timers);
    }
    try {
      taken = engine.trySubmit(bio);
      if (last) {
        engine.ring();
      }
    } finally {
      finished = engine.takeDone();
      if (!taken) {
        bio.takeBack();
      }
      leave();
    }
    deliver(finished);
    drainInterrupt();
    return taken;
  }

  /** Tell the controller of every command it does not know of yet; with interrupts, callbacks may run as in {@link #poll}. */
  public void ring() {
    if (!guard.tryEnter()) {
      if (IN_HANDLER.get()) {
        // A reset inside waits for the handler. Whoever is inside rings, for he looks as at an interrupt.
        interruptPending = true;
        drainInterrupt();
        return;
      }
      guard.enter(timers);
    }
    try {
      engine.ring();
    } finally {
      leave();
    }
    drainInterrupt();
  }

  /**
   * Take what has completed, run the callbacks of finished requests, send what was waiting, and watch deadlines.
   *
   * <p>Resets the controller if a command makes that necessary, which takes a while.
   *
   * @return how many completions were found; 0 also if another thread is inside
   */
  public int poll() {
    if (!guard.tryEnter()) {
      return 0;
    }
    int found;
    NvmeBio finished;
    try {
      found = engine.poll();
    } finally {
      finished = engine.takeDone();
      leave();
    }
    deliver(finished);
    found += drainInterrupt();
    if (core.resetReason() != null || (found == 0 && engine.looksAtTheClock())) {
      core.service();
    }
    return found;
  }

  /**
   * Wait until a request is over; unlike {@link NvmeBio#check}, this does not throw its failure.
   *
   * @throws IllegalStateException if the request was not submitted, or not taken: it would never be over
   */
  public void await(NvmeBio bio) {
    if (!bio.isBusy() && !bio.isDone()) {
      throw new IllegalStateException(core.name() + ": a request is waited for that was not submitted, or that no queue has taken");
    }
    int fruitless = 0;
    Deadline deadline = null;
    while (!bio.isDone()) {
      if (poll() != 0) {
        fruitless = 0;
      } else if (!bio.isDone() && !trySleep(bio)) {
        deadline = pause(++fruitless, deadline);
      }
    }
    if (deadline != null) {
      deadline.close();
    }
  }

  /**
   * Pause for the {@code times}-th time in a row, and look now and then whether the controller is broken. What waits long has a timer set, so that virtual time reaches the next look at the deadlines.
   *
   * @param before what was returned the time before; what is returned last is the caller's to close
   */
  @Nullable Deadline pause(int times, @Nullable Deadline before) {
    if ((times & PAUSES_PER_LOOK - 1) == 0 && core.wantResetIfBroken()) {
      core.service();
    }
    if (times < PATIENCE) {
      timers.pause(times);
      return before;
    }
    Deadline deadline = before;
    if (deadline == null || deadline.isOver()) {
      if (deadline != null) {
        deadline.close();
      }
      deadline = new Deadline(timers, engine.checkInterval(), times);
    }
    deadline.pause();
    return deadline;
  }

  /** An interrupt handler: takes completions unless someone is inside, who will then look again. */
  void interrupted() {
    interruptPending = true;
    Boolean outer = IN_HANDLER.get();
    IN_HANDLER.set(Boolean.TRUE);
    try {
      drainInterrupt();
    } finally {
      IN_HANDLER.set(outer);
    }
  }

  /**
   * Sleep until the controller interrupts or a request that this thread may wait for is over; false if the caller must pause instead.
   *
   * <p>No interrupt tells that a request is to be tried again. A controller that stays silent for as long as a sleep lasts may be broken, or a command late.
   */
  private boolean trySleep(NvmeBio bio) {
    InterruptSleep place = sleep;
    if (place == null || !place.tryBegin()) {
      return false;
    }
    long before = timers.nanoTime();
    try {
      drainInterrupt();
      if (!bio.isDone() && (engine.triesAgainLater() || !place.await())) {
        return false;
      }
    } finally {
      place.end();
    }
    if (!bio.isDone() && timers.nanoTime() - before >= InterruptSleep.LONGEST_NANOS) {
      engine.lookAtTheClockNext();
      if (core.wantResetIfBroken()) {
        core.service();
      }
    }
    return true;
  }

  /** Tell those whose requests are over, and whoever sleeps for one of them, or for one that is to be tried again. */
  private void deliver(@Nullable NvmeBio finished) {
    DoneList.deliver(finished, core.name());
    InterruptSleep place = sleep;
    if (place != null && (finished != null || engine.triesAgainLater())) {
      place.wakeOther();
    }
  }

  /** Take what an interrupt told of whose handler found someone inside; to be called by whoever has left. Returns how many completions were found. */
  int drainInterrupt() {
    int found = 0;
    while (interruptPending && guard.tryEnter()) {
      interruptPending = false;
      NvmeBio finished;
      try {
        found += engine.poll();
      } finally {
        finished = engine.takeDone();
        leave();
      }
      deliver(finished);
    }
    return found;
  }

  /** Let others in before anything is read: a handler sets its flag before it tries to enter, and one of the two must see what the other did. */
  private void leave() {
    guard.exit();
    if (sleep != null) {
      VarHandle.fullFence();
    }
  }

  /** Return what keeps others out; the controller, when it changes the life of its queues, holds that of each. */
  QueueGuard guard() {
    return guard;
  }

  /** Return what is done inside the guard. */
  QueueEngine engine() {
    return engine;
  }

  /** Tell whoever waits for what was cancelled; outside every guard, for callbacks may submit to any queue. */
  void deliverDone() {
    guard.enter(timers);
    NvmeBio finished = engine.takeDone();
    leave();
    deliver(finished);
    drainInterrupt();
  }

  /** Begin or stop taking new requests. */
  void accept(boolean yes) {
    guard.enter(timers);
    engine.accept(yes);
    leave();
    drainInterrupt();
  }

  boolean isIdle() {
    return engine.isIdle();
  }

  long submissionAddress() {
    return rings.submissionAddress();
  }

  long completionAddress() {
    return rings.completionAddress();
  }

  int depth() {
    return depth;
  }

  int listPiecesTaken() {
    return engine.listPiecesTaken();
  }

  NvmeStatistics statistics() {
    return engine.statistics();
  }

  /** Free everything; the controller is stopped and nothing is outstanding. */
  void free() {
    new Closing().then(engine::close).then(rings::close).end();
  }
}
