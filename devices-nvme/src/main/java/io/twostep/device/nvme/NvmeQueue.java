package io.twostep.device.nvme;

import io.twostep.device.nvme.host.CoherentListPages;
import io.twostep.device.nvme.host.CompletionQueue;
import io.twostep.device.nvme.host.Doorbell;
import io.twostep.device.nvme.host.QueueGuard;
import io.twostep.device.nvme.host.SubmissionQueue;
import io.twostep.device.nvme.host.Tags;
import io.twostep.device.nvme.host.Teardown;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.ShadowDoorbellLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.spi.Timers;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One I/O queue pair: requests in, completions out, in whatever order the controller chooses.
 *
 * <p>Meant for one thread at a time, which submits and polls; more than one is safe but they wait for each other. Completions are found by {@link #poll}
 * and {@link #await}, and with interrupts also by the machine's thread; deadlines are watched by the same calls, so whoever submits
 * must poll or wait now and then. A request that is submitted and completed on a warm queue allocates nothing on the heap.
 */
public final class NvmeQueue {
  private static final Logger LOG = LoggerFactory.getLogger(NvmeQueue.class);

  /** Polls that find nothing between looks at the clock, a power of two. */
  private static final int IDLE_POLLS = 64;

  private static final int PATIENCE = 64;

  /** Whether this thread is inside an interrupt handler, where a callback that submits must not wait for a guard. */
  private static final ThreadLocal<Boolean> IN_HANDLER = ThreadLocal.withInitial(() -> Boolean.FALSE);

  private final ControllerCore core;
  private final int id;
  private final int depth;
  private final Timers timers;
  private final QueueGuard guard = new QueueGuard();
  private final SubmissionMemory submissionMemory;
  private final DmaBuffer completionMemory;
  private final SubmissionQueue submissions;
  private final CompletionQueue completions;
  private final CoherentListPages lists;
  private final InvalidationBatch batch;
  private final Tags tags;
  private final IoRequest[] requests;

  private boolean accepting;
  private boolean running;
  private boolean dead;
  private int outstanding;
  private @Nullable NvmeBio waiting;
  private @Nullable IoRequest retrying;
  private @Nullable NvmeBio doneFirst;
  private @Nullable NvmeBio doneLast;
  private int idlePolls;
  private long nextCheck;
  private volatile boolean interruptPending;

  private long requestCount;
  private long commandCount;
  private long byteCount;
  private long entryCount;
  private long listPieceCount;
  private long splitCount;
  private long retryCount;
  private long timeoutCount;
  private long droppedCount;
  private long recoveredCount;

  NvmeQueue(ControllerCore core, int id, int depth, TransferRules rules, SubmissionMemory memory) {
    this.core = core;
    this.id = id;
    this.depth = depth;
    timers = core.timers();
    DmaMapper mapper = core.mapper();
    submissionMemory = memory;
    // A queue begins on a page of the controller: coherent memory is aligned to its own size.
    completionMemory = mapper.allocateCoherent(Math.max(core.pageSize(), depth * CqeLayout.SIZE));
    int dstrd = core.doorbellStride();
    Doorbell tail = new Doorbell(core.registers().mmio(), DoorbellLayout.submissionTail(id, dstrd));
    Doorbell head = new Doorbell(core.registers().mmio(), DoorbellLayout.completionHead(id, dstrd));
    submissions = submissionMemory.queue(depth, tail);
    completions = new CompletionQueue(completionMemory.segment(), depth, head);
    lists = new CoherentListPages(mapper, core.pageSize());
    batch = mapper.newBatch();
    nextCheck = timers.nanoTime();
    tags = new Tags(depth - 1);
    requests = new IoRequest[depth - 1];
    BioScan scan = new BioScan();
    for (int tag = 0; tag < requests.length; tag++) {
      requests[tag] = new IoRequest(tag, core, rules, lists, scan);
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
    return tags.count() - tags.free();
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
    NvmeBio done;
    if (!guard.tryEnter()) {
      if (IN_HANDLER.get()) {
        bio.takeBack();
        return false;
      }
      guard.enter(timers);
    }
    try {
      if (dead) {
        throw core.gone();
      }
      taken = running && accepting && admit(bio);
      if (last) {
        submissions.ring();
      }
    } finally {
      done = takeDone();
      if (!taken) {
        bio.takeBack();
      }
      guard.exit();
    }
    deliver(done);
    if (interruptPending) {
      drainInterrupt();
    }
    return taken;
  }

  private boolean admit(NvmeBio bio) {
    if (waiting != null) {
      continueWaiting();
    }
    if (waiting != null || tags.free() == 0) {
      return false;
    }
    try {
      issue(bio);
      return true;
    } catch (RuntimeException e) {
      if (bio.outstanding == 0) {
        completeBatch();
        throw e;
      }
      // Part of it is with the controller: it ends when that part does.
      bio.fail(e);
      bio.fullyIssued = true;
      waiting = null;
      return true;
    }
  }

  /** Issue as many parts of a bio as there is room for; the rest waits. */
  private void issue(NvmeBio bio) {
    while (!bio.fullyIssued) {
      int tag = tags.take();
      if (tag == Tags.NONE) {
        waiting = bio;
        return;
      }
      IoRequest request = requests[tag];
      boolean opened = false;
      try {
        opened = request.tryOpen(bio, batch, submissions.entries(), submissions.slot());
      } finally {
        if (!opened) {
          tags.free(tag);
        }
      }
      if (!opened) {
        waitForMemory(bio, request);
        return;
      }
      if (bio.issuedBlocks != 0) {
        splitCount++;
      }
      bio.issuedBlocks += request.blocks();
      bio.fullyIssued = bio.issuedBlocks >= bio.blocks();
      bio.outstanding++;
      send(request);
    }
  }

  /** Wait for memory if completions can bring some; else there is nothing to wait for. */
  private void waitForMemory(NvmeBio bio, IoRequest request) {
    completeBatch();
    if (outstanding == 0) {
      DmaMappingException shortage = request.shortage();
      throw shortage != null ? shortage : core.noListMemory();
    }
    waiting = bio;
  }

  private void send(IoRequest request) {
    SqeLayout.COMMAND_ID.set(submissions.entries(), submissions.slot(), tags.issue(request.tag));
    outstanding++;
    commandCount++;
    entryCount += request.entries();
    listPieceCount += request.listPieces();
    submissions.advance();
  }

  /** Tell the controller of every command it does not know of yet. */
  public void ring() {
    guard.enter(timers);
    try {
      submissions.ring();
    } finally {
      guard.exit();
    }
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
    NvmeBio done;
    try {
      found = pollInside();
    } finally {
      done = takeDone();
      guard.exit();
    }
    deliver(done);
    if (core.resetReason() != null || (found == 0 && (idlePolls & IDLE_POLLS - 1) == 0)) {
      core.service();
    }
    return found;
  }

  /** Wait until a request is over; as {@link NvmeBio#check}, this does not throw its failure. */
  public void await(NvmeBio bio) {
    int fruitless = 0;
    Deadline deadline = null;
    while (!bio.isDone()) {
      if (poll() != 0) {
        fruitless = 0;
      } else if (!bio.isDone()) {
        if (++fruitless < PATIENCE) {
          timers.pause();
        } else {
          deadline = patiently(deadline);
        }
      }
    }
    if (deadline != null) {
      deadline.close();
    }
  }

  /** Pause with a timer set, so that virtual time reaches the next look at the deadlines. */
  Deadline patiently(@Nullable Deadline before) {
    Deadline deadline = before;
    if (deadline == null || deadline.isOver()) {
      if (deadline != null) {
        deadline.close();
      }
      deadline = new Deadline(timers, checkInterval());
    }
    if (core.wantResetIfBroken()) {
      core.service();
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

  private void drainInterrupt() {
    while (interruptPending && guard.tryEnter()) {
      interruptPending = false;
      NvmeBio done;
      try {
        pollInside();
      } finally {
        done = takeDone();
        guard.exit();
      }
      deliver(done);
    }
  }

  private int pollInside() {
    int found = reap();
    if (found != 0) {
      completeBatch();
    }
    if (running) {
      if (retrying != null) {
        retry();
      }
      if (waiting != null) {
        continueWaiting();
      }
      submissions.ring();
      if (found == 0 && (++idlePolls & IDLE_POLLS - 1) == 0 && outstanding != 0) {
        found = checkDeadlines();
      }
    }
    return found;
  }

  private int reap() {
    int found = 0;
    MemorySegment entries = completions.entries();
    for (int word = completions.peek(); word >= 0; word = completions.peek()) {
      long slot = completions.slot();
      int queue = CqeLayout.SQ_ID.get(entries, slot);
      int commandId = CqeLayout.COMMAND_ID.get(entries, slot);
      completions.advance();
      int tag = queue == id ? tags.match(commandId) : Tags.NONE;
      if (tag == Tags.NONE) {
        droppedCount++;
      } else {
        tags.retire(tag);
        outstanding--;
        IoRequest request = requests[tag];
        releaseMemory(request);
        settle(request, word >>> 1);
      }
      if (++found == depth) {
        break;
      }
    }
    completions.ring();
    return found;
  }

  private void releaseMemory(IoRequest request) {
    try {
      request.release(batch);
    } catch (DmaMappingException e) {
      request.bio().fail(e);
    }
  }

  /** Decide what a part's status means for its bio. */
  private void settle(IoRequest request, int status) {
    NvmeBio bio = request.bio();
    if (status == StatusCode.SUCCESS) {
      byteCount += request.bytes();
    } else if (mayRetry(request, bio, status)) {
      park(request, core.retryDelayNanos(StatusCode.CRD.get(status)));
      return;
    } else {
      bio.fail(status);
    }
    close(request, bio);
  }

  private boolean mayRetry(IoRequest request, NvmeBio bio, int status) {
    return !dead
        && !StatusCode.DNR.isSet(status)
        && StatusCode.CODE.get(status) != StatusCode.COMPARE_FAILURE
        && request.retries < core.config().retries()
        && !bio.hasFailed();
  }

  private void park(IoRequest request, long delayNanos) {
    request.retries++;
    request.retryAt = timers.nanoTime() + delayNanos;
    request.next = retrying;
    retrying = request;
  }

  /** End a part that holds nothing any more, and its bio if it was the last. */
  private void close(IoRequest request, NvmeBio bio) {
    request.clear();
    tags.free(request.tag);
    bio.outstanding--;
    if (bio.hasFailed() && waiting == bio) {
      waiting = null;
      bio.fullyIssued = true;
    }
    if (bio.outstanding == 0 && bio.fullyIssued) {
      finishLater(bio);
    }
  }

  private void finishLater(NvmeBio bio) {
    requestCount++;
    bio.next = null;
    NvmeBio last = doneLast;
    if (last == null) {
      doneFirst = bio;
    } else {
      last.next = bio;
    }
    doneLast = bio;
  }

  private @Nullable NvmeBio takeDone() {
    NvmeBio first = doneFirst;
    doneFirst = null;
    doneLast = null;
    return first;
  }

  /** Give finished requests back, outside the guard: callbacks may submit. */
  private void deliver(@Nullable NvmeBio first) {
    NvmeBio bio = first;
    while (bio != null) {
      NvmeBio following = bio.next;
      try {
        bio.finish();
      } catch (RuntimeException e) {
        LOG.error("{}: the callback of a finished request threw", core.name(), e);
      }
      bio = following;
    }
  }

  /** Make the memory of everything released the callers' again; nobody is told before. */
  private void completeBatch() {
    if (batch.isEmpty()) {
      return;
    }
    try {
      batch.complete();
    } catch (DmaMappingException e) {
      LOG.error("{}: queue {}: memory of completed requests could not be proved unreachable and stays out of use", core.name(), id, e);
      for (NvmeBio bio = doneFirst; bio != null; bio = bio.next) {
        bio.fail(e);
      }
    }
  }

  private void retry() {
    IoRequest list = retrying;
    retrying = null;
    long now = timers.nanoTime();
    while (list != null) {
      IoRequest request = list;
      list = request.next;
      request.next = null;
      if (now - request.retryAt < 0 || !trySendAgain(request)) {
        request.next = retrying;
        retrying = request;
      }
    }
  }

  /** Send a parked part again; false if it must stay parked. */
  private boolean trySendAgain(IoRequest request) {
    NvmeBio bio = request.bio();
    try {
      if (request.tryReopen(batch, submissions.entries(), submissions.slot())) {
        retryCount++;
        send(request);
        return true;
      }
      completeBatch();
      if (outstanding != 0) {
        return false;
      }
      DmaMappingException shortage = request.shortage();
      bio.fail(shortage != null ? shortage : core.noListMemory());
    } catch (RuntimeException e) {
      completeBatch();
      bio.fail(e);
    }
    close(request, bio);
    return true;
  }

  private void continueWaiting() {
    NvmeBio bio = waiting;
    if (bio == null) {
      return;
    }
    waiting = null;
    try {
      issue(bio);
    } catch (RuntimeException e) {
      completeBatch();
      bio.fail(e);
      bio.fullyIssued = true;
      if (bio.outstanding == 0) {
        finishLater(bio);
      }
    }
  }

  private long checkInterval() {
    return Math.max(1, core.config().ioTimeoutNanos() / 8);
  }

  /** Look for commands past their deadline; returns completions that were found because of it. */
  private int checkDeadlines() {
    long now = timers.nanoTime();
    if (now - nextCheck < 0) {
      return 0;
    }
    nextCheck = now + checkInterval();
    boolean late = false;
    for (int tag = 0; tag < requests.length; tag++) {
      if (tags.isLive(tag)) {
        IoRequest request = requests[tag];
        if (request.deadline == 0) {
          request.deadline = later(now);
        } else {
          late |= now - request.deadline >= 0;
        }
      }
    }
    return late ? expire(now) : 0;
  }

  private long later(long now) {
    long deadline = now + core.config().ioTimeoutNanos();
    return deadline == 0 ? 1 : deadline;
  }

  /** Poll once more, for a lost interrupt; then abort what is late, or have the controller reset. */
  private int expire(long now) {
    int found = reap();
    if (found != 0) {
      recoveredCount += found;
      completeBatch();
    }
    for (int tag = 0; tag < requests.length; tag++) {
      IoRequest request = requests[tag];
      if (tags.isLive(tag) && request.deadline != 0 && now - request.deadline >= 0) {
        expire(request, now);
      }
    }
    return found;
  }

  /** Abort a late command, or want a reset. Its memory stays mapped: an abort is not a completion. */
  private void expire(IoRequest request, long now) {
    if (core.wantResetIfBroken()) {
      return;
    }
    if (request.aborted) {
      core.wantReset("a command on queue " + id + " did not complete after its abort");
    } else {
      if (core.tryAbort(id, tags.idOf(request.tag))) {
        timeoutCount++;
        request.aborted = true;
      }
      request.deadline = later(now);
    }
  }

  // Called by the controller, which is inside the guard of every queue.

  QueueGuard guard() {
    return guard;
  }

  /** Begin or stop taking new requests. */
  void accept(boolean yes) {
    accepting = yes;
  }

  /** Begin or stop sending commands: the controller is live or it is not. */
  void run(boolean yes) {
    running = yes;
  }

  /** Start empty, on a controller that does not know the queue yet. */
  void restart() {
    submissions.reset();
    completions.reset();
    submissions.doorbell().useRegister();
    completions.doorbell().useRegister();
  }

  void useShadow(MemorySegment shadow, MemorySegment events) {
    int dstrd = core.doorbellStride();
    submissions.doorbell().useShadow(shadow, events, ShadowDoorbellLayout.submissionTail(id, dstrd));
    completions.doorbell().useShadow(shadow, events, ShadowDoorbellLayout.completionHead(id, dstrd));
  }

  /** Take what the stopped controller did complete and cancel the rest; what may be retried waits for {@link #run}. */
  void cancelAll(boolean forGood) {
    reap();
    dead = forGood;
    for (int tag = 0; tag < requests.length; tag++) {
      if (tags.isLive(tag)) {
        tags.retire(tag);
        outstanding--;
        IoRequest request = requests[tag];
        releaseMemory(request);
        settle(request, forGood ? StatusCode.HOST_PATHING_ERROR : StatusCode.HOST_ABORTED);
      }
    }
    if (forGood) {
      failParked();
    }
    completeBatch();
  }

  private void failParked() {
    IoRequest list = retrying;
    retrying = null;
    while (list != null) {
      IoRequest request = list;
      list = request.next;
      request.next = null;
      NvmeBio bio = request.bio();
      bio.fail(StatusCode.HOST_PATHING_ERROR);
      close(request, bio);
    }
    NvmeBio partial = waiting;
    if (partial != null) {
      waiting = null;
      partial.fail(StatusCode.HOST_PATHING_ERROR);
      partial.fullyIssued = true;
      if (partial.outstanding == 0) {
        finishLater(partial);
      }
    }
  }

  /** Tell whoever waits for what was cancelled; outside every guard, for callbacks may submit to any queue. */
  void deliverDone() {
    guard.enter(timers);
    NvmeBio done = takeDone();
    guard.exit();
    deliver(done);
  }

  boolean isIdle() {
    return outstanding() == 0 && waiting == null;
  }

  long submissionAddress() {
    return submissionMemory.controllerAddress();
  }

  long completionAddress() {
    return completionMemory.dmaAddress();
  }

  int depth() {
    return depth;
  }

  int listPiecesTaken() {
    return lists.taken();
  }

  NvmeStatistics statistics() {
    return new NvmeStatistics(
        requestCount,
        commandCount,
        byteCount,
        entryCount,
        listPieceCount,
        splitCount,
        retryCount,
        timeoutCount,
        0,
        0,
        droppedCount,
        recoveredCount,
        submissions.doorbell().writes() + completions.doorbell().writes());
  }

  /** Free everything; the controller is stopped and nothing is outstanding. */
  void free() {
    Teardown teardown = new Teardown();
    for (IoRequest request : requests) {
      teardown.then(request::close);
    }
    teardown.then(lists::close).then(submissionMemory::close).then(completionMemory::close).finish();
  }
}
