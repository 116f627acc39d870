package io.twostep.device.nvme;

import io.twostep.device.nvme.host.CompletionQueue;
import io.twostep.device.nvme.host.Doorbell;
import io.twostep.device.nvme.host.Registers;
import io.twostep.device.nvme.host.SubmissionQueue;
import io.twostep.device.nvme.host.Tags;
import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.AqaLayout;
import io.twostep.device.nvme.wire.AsyncEventLayout;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Timers;
import java.util.ArrayDeque;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The admin queue pair: commands that are waited for, aborts that are not, and the standing request for events. Thread-safe; polled.
 *
 * <p>A command that runs out of time leaves the queue broken until the controller was stopped: its memory may still be written.
 */
final class AdminQueue implements AutoCloseable {
  private static final int DEPTH = 32;

  /** One slot stays empty and one is the event request's. */
  private static final int TAGS = DEPTH - 2;

  /** Beyond every tag, so that it matches none. */
  private static final int EVENT_ID = DEPTH - 1;

  private final String device;
  private final Registers registers;
  private final Timers timers;
  private final long timeoutNanos;
  private final ReentrantLock lock = new ReentrantLock();
  private final DmaBuffer submissionMemory;
  private final DmaBuffer completionMemory;
  private final SubmissionQueue submissions;
  private final CompletionQueue completions;
  private final Tags tags = new Tags(TAGS);
  private final int[] status = new int[TAGS];
  private final long[] result = new long[TAGS];
  private final boolean[] isAbort = new boolean[TAGS];
  private final long[] abortSentAt = new long[TAGS];
  private final ArrayDeque<NvmeEvent> events = new ArrayDeque<>();

  private int abortsOutstanding;
  private long abortsSent;
  private long dropped;
  private boolean eventOutstanding;
  private boolean broken = true;

  AdminQueue(
      String device, Registers registers, Timers timers, DmaMapper mapper, long timeoutNanos, int dstrd, int pageSize) {
    this.device = device;
    this.registers = registers;
    this.timers = timers;
    this.timeoutNanos = timeoutNanos;
    // A queue begins on a page of the controller: coherent memory is aligned to its own size.
    submissionMemory = mapper.allocateCoherent(Math.max(pageSize, DEPTH * SqeLayout.SIZE));
    try {
      completionMemory = mapper.allocateCoherent(Math.max(pageSize, DEPTH * CqeLayout.SIZE));
    } catch (RuntimeException e) {
      submissionMemory.close();
      throw e;
    }
    Doorbell tail = new Doorbell(registers.mmio(), DoorbellLayout.submissionTail(0, dstrd));
    Doorbell head = new Doorbell(registers.mmio(), DoorbellLayout.completionHead(0, dstrd));
    submissions = new SubmissionQueue(submissionMemory.segment(), DEPTH, tail);
    completions = new CompletionQueue(completionMemory.segment(), DEPTH, head);
  }

  /** Start empty, on a stopped controller, and tell it where the queues are. */
  void start() {
    lock.lock();
    try {
      cancelAll();
      submissions.reset();
      completions.reset();
      int sizes = AqaLayout.ACQS.with(AqaLayout.ASQS.with(0, DEPTH - 1), DEPTH - 1);
      registers.adminQueues(sizes, submissionMemory.dmaAddress(), completionMemory.dmaAddress());
      broken = false;
    } finally {
      lock.unlock();
    }
  }

  /** Take events that came in time and forget what else was outstanding; the controller is stopped. */
  void cancelAll() {
    lock.lock();
    try {
      if (!broken) {
        reap();
      }
      for (int tag = 0; tag < tags.count(); tag++) {
        if (tags.isLive(tag)) {
          tags.retire(tag);
          tags.free(tag);
        }
        isAbort[tag] = false;
      }
      abortsOutstanding = 0;
      eventOutstanding = false;
      broken = true;
    } finally {
      lock.unlock();
    }
  }

  /** Run a command and return its result. */
  long execute(AdminCommand command) {
    lock.lock();
    try {
      int tag = run(command);
      if (status[tag] != StatusCode.SUCCESS) {
        throw NvmeException.ofAdmin(device, command, status[tag]);
      }
      return result[tag];
    } finally {
      lock.unlock();
    }
  }

  /** Run a command that a controller need not know, or whose namespace need not be there; false if the controller says so. */
  boolean executeIfSupported(AdminCommand command) {
    int answer = tryExecute(command);
    if (answer != StatusCode.SUCCESS && NvmeErrorKind.of(answer) != NvmeErrorKind.NOT_SUPPORTED) {
      throw NvmeException.ofAdmin(device, command, answer);
    }
    return answer == StatusCode.SUCCESS;
  }

  /** Run a command and return its status. */
  int tryExecute(AdminCommand command) {
    lock.lock();
    try {
      return status[run(command)];
    } finally {
      lock.unlock();
    }
  }

  /** Run a command; the tag it returns is free again, its result stays until the next command. */
  private int run(AdminCommand command) {
    requireUsable(command);
    int tag = tags.take();
    if (tag == Tags.NONE) {
      throw NvmeException.ofController(device, NvmeErrorKind.PROTOCOL, "no admin command slot is free for " + command.name);
    }
    isAbort[tag] = false;
    command.write(submissions.entries(), submissions.slot(), tags.issue(tag));
    submissions.advance();
    submissions.ring();
    try (Deadline deadline = new Deadline(timers, timeoutNanos)) {
      while (true) {
        reap();
        if (!tags.isLive(tag)) {
          return tag;
        }
        if (registers.isGone()) {
          broken = true;
          throw NvmeException.ofController(device, NvmeErrorKind.GONE, "the controller went away during " + command.name);
        }
        if (deadline.isOver()) {
          broken = true;
          throw NvmeException.ofController(
              device,
              NvmeErrorKind.PROTOCOL,
              command.name + " did not complete within " + timeoutNanos / 1_000_000 + " ms; reset the controller");
        }
        deadline.pause();
      }
    }
  }

  private void requireUsable(AdminCommand command) {
    if (broken) {
      throw NvmeException.ofController(
          device, NvmeErrorKind.GONE, command.name + " is not possible: the controller is stopped or its admin queue hangs");
    }
  }

  /** Enter unless somebody waits for a command inside, which takes as long as the controller likes: another thread, or this one, if an interrupt came in a pause. */
  private boolean tryEnter() {
    return !lock.isHeldByCurrentThread() && lock.tryLock();
  }

  /** Ask the controller to abort a command, without waiting; false if it takes no more of these now, or a command is waited for. */
  boolean tryAbort(int queueId, int commandId, int limit) {
    if (!tryEnter()) {
      return false;
    }
    try {
      if (broken || abortsOutstanding >= limit) {
        return false;
      }
      int tag = tags.take();
      if (tag == Tags.NONE) {
        return false;
      }
      AdminCommand abort = new AdminCommand("abort", AdminOpcode.ABORT).word(10, queueId | commandId << 16);
      isAbort[tag] = true;
      abortSentAt[tag] = timers.nanoTime();
      abortsOutstanding++;
      abortsSent++;
      abort.write(submissions.entries(), submissions.slot(), tags.issue(tag));
      submissions.advance();
      submissions.ring();
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Tell whether waiting for room for an abort is in vain: a command ran out of time, be it an abort, which nobody waits for. Whoever waits for one finds out himself. */
  boolean isHung() {
    if (!tryEnter()) {
      return false;
    }
    try {
      if (broken) {
        return true;
      }
      reap();
      long now = timers.nanoTime();
      for (int tag = 0; tag < TAGS; tag++) {
        if (isAbort[tag] && now - abortSentAt[tag] >= timeoutNanos) {
          return true;
        }
      }
      return false;
    } finally {
      lock.unlock();
    }
  }

  /** Send the request for events, unless it is with the controller already. */
  void requestEvents() {
    lock.lock();
    try {
      if (broken || eventOutstanding) {
        return;
      }
      eventOutstanding = true;
      new AdminCommand("event request", AdminOpcode.ASYNC_EVENT_REQUEST)
          .write(submissions.entries(), submissions.slot(), EVENT_ID);
      submissions.advance();
      submissions.ring();
    } finally {
      lock.unlock();
    }
  }

  /** Look for completions unless somebody does; tell whether an event waits to be taken. */
  boolean hasEvents() {
    if (!tryEnter()) {
      return false;
    }
    try {
      if (!broken) {
        reap();
      }
      return !events.isEmpty();
    } finally {
      lock.unlock();
    }
  }

  /** Take the oldest event, null if none waits. */
  @Nullable NvmeEvent takeEvent() {
    lock.lock();
    try {
      return events.poll();
    } finally {
      lock.unlock();
    }
  }

  private void reap() {
    int reaped = 0;
    for (int word = completions.peek(); word >= 0 && reaped < DEPTH; word = completions.peek()) {
      long slot = completions.slot();
      int id = CqeLayout.COMMAND_ID.get(completions.entries(), slot);
      long value = CqeLayout.RESULT.get(completions.entries(), slot);
      completions.advance();
      reaped++;
      complete(id, CqeLayout.STATUS.get(word), value);
    }
    completions.ring();
  }

  private void complete(int id, int completedStatus, long value) {
    if (id == EVENT_ID && eventOutstanding) {
      eventOutstanding = false;
      if (completedStatus == StatusCode.SUCCESS) {
        events.add(
            new NvmeEvent(
                AsyncEventLayout.TYPE.get((int) value),
                AsyncEventLayout.INFORMATION.get((int) value),
                AsyncEventLayout.LOG_PAGE.get((int) value)));
      }
      return;
    }
    int tag = tags.match(id);
    if (tag == Tags.NONE) {
      dropped++;
      return;
    }
    status[tag] = completedStatus;
    result[tag] = value;
    if (isAbort[tag]) {
      isAbort[tag] = false;
      abortsOutstanding--;
    }
    tags.retire(tag);
    tags.free(tag);
  }

  long abortsSent() {
    return abortsSent;
  }

  long dropped() {
    return dropped;
  }

  int outstanding() {
    lock.lock();
    try {
      return tags.count() - tags.free();
    } finally {
      lock.unlock();
    }
  }

  long doorbellWrites() {
    return submissions.doorbell().writes() + completions.doorbell().writes();
  }

  /** Free the queues' memory; the controller is stopped. */
  @Override
  public void close() {
    new Closing().then(submissionMemory::close).then(completionMemory::close).end();
  }
}
