package io.twostep.device.nvme;

import io.twostep.device.nvme.host.CoherentListPages;
import io.twostep.device.nvme.host.CompletionQueue;
import io.twostep.device.nvme.host.SubmissionQueue;
import io.twostep.device.nvme.host.Tags;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Timers;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one queue does while its thread is inside: requests become commands, completions become finished requests, what failed is tried again.
 *
 * <p>Used under the queue's guard, but for the numbers that it tells.
 */
final class QueueEngine implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(NvmeQueue.class);

  /** Polls that find nothing between looks at the clock, a power of two. */
  private static final int IDLE_POLLS = 64;

  private final ControllerCore core;
  private final int id;
  private final int depth;
  private final Timers timers;
  private final RingMemory rings;
  private final SubmissionQueue submissions;
  private final CompletionQueue completions;
  private final CoherentListPages lists;
  private final InvalidationBatch batch;
  private final Tags tags;
  private final IoRequest[] requests;
  private final CommandDeadlines deadlines;
  private final QueueCounters counters = new QueueCounters();
  private final DoneList done = new DoneList(counters);

  private boolean accepting;
  private boolean running;
  private boolean dead;
  private int outstanding;
  private @Nullable NvmeBio waiting;
  private @Nullable IoRequest retrying;
  private int idlePolls;

  QueueEngine(ControllerCore core, int id, int depth, TransferRules rules, RingMemory rings) {
    this.core = core;
    this.id = id;
    this.depth = depth;
    this.rings = rings;
    timers = core.timers();
    submissions = rings.submissions();
    completions = rings.completions();
    lists = new CoherentListPages(core.mapper(), core.pageSize());
    batch = core.mapper().newBatch();
    tags = new Tags(depth - 1);
    BioScan scan = new BioScan();
    List<IoRequest> made = new ArrayList<>();
    try {
      for (int tag = 0; tag < depth - 1; tag++) {
        made.add(new IoRequest(tag, core, rules, lists, scan));
      }
    } catch (RuntimeException e) {
      throw Closing.after(e, new Closing().thenEach(made, IoRequest::close)::end);
    }
    requests = made.toArray(new IoRequest[0]);
    deadlines = new CommandDeadlines(core, id, tags, requests, counters);
  }

  /** Take a request if there is room for its first command. */
  boolean trySubmit(NvmeBio bio) {
    if (dead) {
      throw core.gone();
    }
    return running && accepting && admit(bio);
  }

  /** Tell the controller of every command it does not know of yet. */
  void ring() {
    if (running) {
      submissions.ring();
    }
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
        counters.splits++;
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
    counters.commands++;
    counters.entries += request.entries();
    counters.listPieces += request.listPieces();
    submissions.advance();
  }

  /** Take completions, send what waits, and now and then look at the clock; returns how many completions were found. */
  int poll() {
    if (!running) {
      // What the stopped controller completed is taken by cancelAll; after close even the rings are gone.
      return 0;
    }
    int found = reap();
    if (found != 0) {
      completeBatch();
    }
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
        counters.dropped++;
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
      counters.bytes += request.bytes();
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
      done.add(bio);
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
      done.fail(e);
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
        counters.retries++;
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
        done.add(bio);
      }
    }
  }

  /** Look for commands past their deadline; returns completions that were found because of it. */
  private int checkDeadlines() {
    long now = timers.nanoTime();
    if (!deadlines.isAnyLate(now)) {
      return 0;
    }
    // Once more, for a lost interrupt; then abort what is late, or have the controller reset.
    int found = reap();
    if (found != 0) {
      counters.recovered += found;
      completeBatch();
    }
    deadlines.expire(now);
    return found;
  }

  /** Tell whether the last poll was one that looks at the clock. */
  boolean looksAtTheClock() {
    return (idlePolls & IDLE_POLLS - 1) == 0;
  }

  /** Tell whether a request waits for its time to be tried again; true to those outside once whoever parked it has left. */
  boolean triesAgainLater() {
    return retrying != null;
  }

  /** Have the next poll that finds nothing look at the clock; without the guard, and lost if someone inside counts, who comes to it himself. */
  void lookAtTheClockNext() {
    idlePolls |= IDLE_POLLS - 1;
  }

  /** Return the time between two looks at the deadlines. */
  long checkInterval() {
    return deadlines.interval();
  }

  /** Take the requests that are over, for {@link DoneList#deliver} once outside. */
  @Nullable NvmeBio takeDone() {
    return done.take();
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
    rings.reset();
  }

  void useShadow(MemorySegment shadow, MemorySegment events) {
    rings.useShadow(shadow, events);
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
        done.add(partial);
      }
    }
  }

  /** Return how many commands are outstanding or waiting to be tried again. */
  int held() {
    return tags.count() - tags.free();
  }

  boolean isIdle() {
    return held() == 0 && waiting == null;
  }

  int listPiecesTaken() {
    return lists.taken();
  }

  NvmeStatistics statistics() {
    return counters.statistics(rings.doorbellWrites());
  }

  /** Give back what the requests hold; nothing is outstanding. */
  @Override
  public void close() {
    Closing closing = new Closing();
    for (IoRequest request : requests) {
      closing.then(request::close);
    }
    closing.then(lists::close).end();
  }
}
