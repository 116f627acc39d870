package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.AbortCommandLayout;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.AsyncEventLayout;
import io.twostep.device.nvme.wire.ErrorLogLayout;
import io.twostep.device.nvme.wire.QueueCommandLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel.Signals;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Fetches commands queue by queue, has them carried out, and completes them, at once or later. */
final class CommandLoop {
  /** Commands fetched in one access, and the turn that a queue gets. */
  private static final int BURST = 32;

  private static final int NOT_NOW = -1;
  private static final int GARBAGE = 0xdead;

  private final NvmeModelConfig config;
  private final HostMemory memory;
  private final ControllerState state;
  private final QueueSet queues;
  private final ShadowDoorbells shadows;
  private final Completer completer;
  private final AsyncEvents events;
  private final ErrorLog log;
  private final AdminCommands admin;
  private final IoCommands io;
  private final FaultPlan faults;
  private final Alarm alarm;
  private final Violations violations;
  private final MemorySegment fetched;
  private final List<HeldCommand> held = new ArrayList<>();

  private Signals signals = Unplugged.INSTANCE;
  private long now;
  private long result;
  private int abortsHeld;

  /** Whether the command in hand is one that was held: it is not held again. */
  private boolean finishing;

  CommandLoop(
      Arena arena,
      NvmeModelConfig config,
      HostMemory memory,
      ControllerState state,
      QueueSet queues,
      ShadowDoorbells shadows,
      Completer completer,
      AsyncEvents events,
      ErrorLog log,
      AdminCommands admin,
      IoCommands io,
      FaultPlan faults,
      Alarm alarm,
      Violations violations) {
    this.config = config;
    this.memory = memory;
    this.state = state;
    this.queues = queues;
    this.shadows = shadows;
    this.completer = completer;
    this.events = events;
    this.log = log;
    this.admin = admin;
    this.io = io;
    this.faults = faults;
    this.alarm = alarm;
    this.violations = violations;
    fetched = arena.allocate((long) BURST * SqeLayout.SIZE, Long.BYTES);
  }

  void connect(Signals to) {
    signals = to;
  }

  /** Forget every command that was fetched. */
  void clear() {
    held.clear();
    abortsHeld = 0;
  }

  /** Do up to {@code budget} commands; returns whether more can be done at once. */
  boolean step(int budget) {
    now = signals.nanoTime();
    if (!state.isWorking()) {
      return false;
    }
    int left = budget - completeHeld();
    int done = 1;
    while (done > 0 && left > 0) {
      done = 0;
      for (int id = 0; id <= queues.highest() && left > done && state.isWorking(); id++) {
        SubmissionQueue queue = queues.submission(id);
        if (queue != null) {
          done += serve(queue, Math.min(BURST, left - done));
        }
      }
      left -= done;
    }
    deliverEvents();
    signal();
    return left <= 0 && state.isWorking();
  }

  /** Signal vectors that are due: after work, and after an unmask. */
  void signal() {
    long soonest = -1;
    for (int id = 0; id <= queues.highest(); id++) {
      CompletionQueue queue = queues.completion(id);
      if (queue != null) {
        long wait = completer.signal(queue, signals, now);
        if (wait > 0 && (soonest < 0 || wait < soonest)) {
          soonest = wait;
        }
      }
    }
    if (soonest > 0) {
      alarm.wakeAfter(now, soonest);
    }
  }

  private int serve(SubmissionQueue queue, int most) {
    CompletionQueue completions = queue.completions;
    boolean shadowed = shadows.covers(queue.id);
    if (shadowed && !takeTail(queue, shadows.readTail(queue.id))) {
      return 0;
    }
    int done = 0;
    while (done < most && state.isWorking()) {
      int pending = queue.pending();
      if (pending == 0) {
        if (!shadowed || queue.awaited == queue.tail) {
          return done;
        }
        queue.awaited = queue.tail;
        if (!takeTail(queue, shadows.awaitTail(queue.id, queue.tail))) {
          return done;
        }
        continue;
      }
      int room = completions.free() - completions.owed;
      if (room <= 0 && !makeRoom(completions)) {
        return done;
      }
      room = completions.free() - completions.owed;
      int burst = Math.min(Math.min(pending, queue.entries - queue.head), Math.min(room, most - done));
      done += fetchAndExecute(queue, burst);
    }
    return done;
  }

  private int fetchAndExecute(SubmissionQueue queue, int burst) {
    long from = queue.base + (long) queue.head * SqeLayout.SIZE;
    if (memory.read(from, fetched, 0, (long) burst * SqeLayout.SIZE) != BusMaster.OK) {
      fail("submission queue " + queue.id + " cannot be read");
      return burst;
    }
    int taken = 0;
    // One command can take more than one entry: an abort ends what it aborts as well.
    while (taken < burst && state.isWorking() && queue.completions.free() > queue.completions.owed) {
      queue.head = queue.head + 1 == queue.entries ? 0 : queue.head + 1;
      take(queue, (long) taken * SqeLayout.SIZE);
      taken++;
    }
    return taken;
  }

  /** Take a tail that was read from a shadow; false if there is nothing to go on with. */
  private boolean takeTail(SubmissionQueue queue, int tail) {
    if (tail == ShadowDoorbells.UNREACHABLE) {
      fail("the shadow doorbells cannot be reached");
      return false;
    }
    if (tail != queue.tail && !QueueSet.moveTail(queue, tail)) {
      queues.refuse(
          AsyncEventLayout.ERROR_INVALID_DOORBELL_VALUE, "shadow tail " + tail + " of submission queue " + queue.id);
      return false;
    }
    return true;
  }

  /** See whether a shadowed head has moved; false if the queue stays full. */
  private boolean makeRoom(CompletionQueue queue) {
    if (!shadows.covers(queue.id)) {
      return false;
    }
    int head = shadows.readHead(queue.id);
    if (head == queue.head) {
      head = shadows.awaitHead(queue.id, queue.head);
    }
    if (head == ShadowDoorbells.UNREACHABLE) {
      fail("the shadow doorbells cannot be reached");
      return false;
    }
    if (head != queue.head && !QueueSet.moveHead(queue, head)) {
      queues.refuse(
          AsyncEventLayout.ERROR_INVALID_DOORBELL_VALUE, "shadow head " + head + " of completion queue " + queue.id);
    }
    return queue.free() > queue.owed;
  }

  private void take(SubmissionQueue queue, long at) {
    int commandId = SqeLayout.COMMAND_ID.get(fetched, at);
    FaultPlan.Armed fault = faults.isArmed() ? faults.next(queue.id) : null;
    if (!held.isEmpty() && isHeld(queue, commandId)) {
      complete(queue, commandId, StatusCode.DNR.with(StatusCode.COMMAND_ID_CONFLICT, 1));
    } else if (fault == null) {
      int status = execute(queue, fetched, at, commandId);
      if (status != NOT_NOW) {
        completeExecuted(queue, commandId, status);
      }
    } else {
      misbehave(queue, commandId, at, fault);
    }
  }

  private void misbehave(SubmissionQueue queue, int commandId, long at, FaultPlan.Armed fault) {
    switch (fault.kind) {
      case HOLD -> hold(queue, commandId, at, HeldCommand.Then.NOTHING, 0);
      case DELAY -> hold(queue, commandId, at, HeldCommand.Then.EXECUTE, fault.value);
      case FAIL -> complete(queue, commandId, (int) fault.value);
      default -> {
        int status = execute(queue, fetched, at, commandId);
        if (status != NOT_NOW) {
          completeWrongly(queue, commandId, status, fault);
        }
      }
    }
  }

  private void completeWrongly(SubmissionQueue queue, int commandId, int status, FaultPlan.Armed fault) {
    CompletionQueue completions = queue.completions;
    boolean roomForMore = completions.free() - completions.owed > 1;
    switch (fault.kind) {
      case WRONG_PHASE -> completer.writeStale(completions, queue.id, queue.head, commandId, status);
      case DUPLICATE_COMPLETION -> {
        completeExecuted(queue, commandId, status);
        if (roomForMore) {
          completeExecuted(queue, commandId, status);
        }
      }
      case STRAY_COMPLETION -> {
        if (roomForMore) {
          complete(queue, (int) fault.value, StatusCode.SUCCESS);
        }
        completeExecuted(queue, commandId, status);
      }
      case GARBAGE_COMPLETION -> {
        if (roomForMore) {
          completer.post(completions, GARBAGE, GARBAGE, GARBAGE, StatusCode.SUCCESS, -1L, now);
        }
        completeExecuted(queue, commandId, status);
      }
      case WRONG_HEAD -> completer.post(completions, queue.id, (int) fault.value, commandId, status, 0, now);
      case LOSE_INTERRUPT -> {
        completeExecuted(queue, commandId, status);
        completions.unsignalled--;
      }
      default -> {
        // DROP_COMPLETION: the work is done, and nobody hears of it.
      }
    }
  }

  /** Carry a command out; returns its status with the retry bit, or {@link #NOT_NOW} if it completes later. */
  private int execute(SubmissionQueue queue, MemorySegment sqe, long at, int commandId) {
    memory.beginCommand(queue.base);
    int status = queue.id == 0 ? executeAdmin(queue, sqe, at, commandId) : io.execute(sqe, at);
    if (status == StatusCode.SUCCESS || status == NOT_NOW) {
      return status;
    }
    log.add(queue.id, commandId, status, SqeLayout.NSID.get(sqe, at), queue.id == 0 ? 0 : io.failedLba());
    return isTransient(status) ? status : StatusCode.DNR.with(status, 1);
  }

  private int executeAdmin(SubmissionQueue queue, MemorySegment sqe, long at, int commandId) {
    result = 0;
    return switch (SqeLayout.OPCODE.get(sqe, at)) {
      case AdminOpcode.ASYNC_EVENT_REQUEST ->
          events.request(commandId) ? NOT_NOW : StatusCode.ASYNC_EVENT_LIMIT_EXCEEDED;
      case AdminOpcode.ABORT -> abort(queue, sqe, at, commandId);
      case AdminOpcode.DELETE_SUBMISSION_QUEUE -> deleteSubmission(QueueCommandLayout.QUEUE_ID.get(sqe, at));
      default -> {
        int status = admin.execute(sqe, at, state.cc());
        result = admin.result();
        yield status;
      }
    };
  }

  private int deleteSubmission(int id) {
    SubmissionQueue queue = queues.removeSubmission(id);
    if (queue == null) {
      return StatusCode.INVALID_QUEUE_ID;
    }
    for (int i = held.size() - 1; i >= 0; i--) {
      HeldCommand command = held.get(i);
      if (command.queue == queue) {
        held.remove(i);
        queue.completions.owed--;
        complete(queue, command.commandId, StatusCode.ABORTED_QUEUE_DELETED);
      }
    }
    return StatusCode.SUCCESS;
  }

  private int abort(SubmissionQueue queue, MemorySegment sqe, long at, int commandId) {
    if (abortsHeld > config.abortLimit()) {
      return StatusCode.ABORT_LIMIT_EXCEEDED;
    }
    long delay = faults.abortDelayNanos();
    if (delay > 0 && !finishing) {
      abortsHeld++;
      hold(queue, commandId, at, HeldCommand.Then.EXECUTE, delay).isSlowAbort = true;
      return NOT_NOW;
    }
    boolean aborted =
        !faults.abortsRefused()
            && tryAbort(AbortCommandLayout.SQ_ID.get(sqe, at), AbortCommandLayout.COMMAND_ID.get(sqe, at));
    postResult(queue, commandId, StatusCode.SUCCESS, AbortCommandLayout.NOT_ABORTED.with(0, aborted ? 0 : 1));
    return NOT_NOW;
  }

  private boolean tryAbort(int queueId, int commandId) {
    SubmissionQueue queue = queues.submission(queueId);
    if (queue == null) {
      return false;
    }
    // The abort's own completion needs an entry too.
    if (queueId == 0 && queue.completions.free() - queue.completions.owed > 1 && events.cancel(commandId)) {
      complete(queue, commandId, StatusCode.ABORT_REQUESTED);
      return true;
    }
    for (int i = 0; i < held.size(); i++) {
      HeldCommand command = held.get(i);
      if (command.queue == queue && command.commandId == commandId && command.then != HeldCommand.Then.COMPLETE) {
        command.then = HeldCommand.Then.COMPLETE;
        command.status = StatusCode.ABORT_REQUESTED;
        command.dueNanos = now + faults.abortedDelayNanos();
        signals.wakeAfter(faults.abortedDelayNanos());
        return true;
      }
    }
    return false;
  }

  private HeldCommand hold(SubmissionQueue queue, int commandId, long at, HeldCommand.Then then, long delay) {
    HeldCommand command = new HeldCommand(queue, commandId, fetched, at, then, now + delay);
    held.add(command);
    queue.completions.owed++;
    if (then != HeldCommand.Then.NOTHING) {
      signals.wakeAfter(delay);
    }
    return command;
  }

  private boolean isHeld(SubmissionQueue queue, int commandId) {
    for (HeldCommand command : held) {
      if (command.queue == queue && command.commandId == commandId) {
        return true;
      }
    }
    return false;
  }

  /** Finish held commands whose time has come; returns how many. */
  private int completeHeld() {
    int done = 0;
    for (int i = 0; i < held.size() && state.isWorking(); ) {
      HeldCommand command = held.get(i);
      if (!command.isDue(now)) {
        i++;
        continue;
      }
      held.remove(i);
      done++;
      finish(command);
      // Carrying it out may have changed the list.
      i = 0;
    }
    return done;
  }

  private void finish(HeldCommand command) {
    SubmissionQueue queue = command.queue;
    queue.completions.owed--;
    if (command.isSlowAbort) {
      abortsHeld--;
    }
    if (command.then == HeldCommand.Then.COMPLETE) {
      complete(queue, command.commandId, command.status);
      return;
    }
    finishing = true;
    int status = execute(queue, command.sqe, 0, command.commandId);
    finishing = false;
    if (status != NOT_NOW) {
      completeExecuted(queue, command.commandId, status);
    }
  }

  private void deliverEvents() {
    SubmissionQueue queue = queues.submission(0);
    while (queue != null && events.isDue() && queue.completions.free() > queue.completions.owed) {
      int event = events.takeEvent();
      postResult(queue, events.takeRequest(), StatusCode.SUCCESS, event);
    }
  }

  private void complete(SubmissionQueue queue, int commandId, int status) {
    postResult(queue, commandId, status, 0);
  }

  private void completeExecuted(SubmissionQueue queue, int commandId, int status) {
    postResult(queue, commandId, status, queue.id == 0 ? result : 0);
  }

  private void postResult(SubmissionQueue queue, int commandId, int status, long result) {
    if (!completer.post(queue.completions, queue.id, queue.head, commandId, status, result, now)) {
      fail("completion queue " + queue.completions.id + " cannot be written");
    }
  }

  private void fail(String why) {
    state.fail();
    violations.add(why);
    log.add(ErrorLogLayout.NONE, ErrorLogLayout.NONE, StatusCode.INTERNAL_ERROR, 0, 0);
  }

  private static boolean isTransient(int status) {
    return switch (status) {
      case StatusCode.DATA_TRANSFER_ERROR,
          StatusCode.INTERNAL_ERROR,
          StatusCode.ABORT_REQUESTED,
          StatusCode.ABORTED_QUEUE_DELETED,
          StatusCode.COMMAND_INTERRUPTED,
          StatusCode.NAMESPACE_NOT_READY,
          StatusCode.ABORT_LIMIT_EXCEEDED ->
          true;
      default -> false;
    };
  }
}
