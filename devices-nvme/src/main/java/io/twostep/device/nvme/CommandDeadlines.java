package io.twostep.device.nvme;

import io.twostep.device.nvme.host.Tags;
import io.twostep.dma.spi.Timers;

/** Watches the commands of one queue: one that is late is aborted, and if that does not help, the controller is reset. Used under the queue's guard. */
final class CommandDeadlines {
  private final ControllerCore core;
  private final int queueId;
  private final Tags tags;
  private final IoRequest[] requests;
  private final QueueCounters counters;
  private long nextCheck;

  CommandDeadlines(ControllerCore core, int queueId, Tags tags, IoRequest[] requests, QueueCounters counters) {
    this.core = core;
    this.queueId = queueId;
    this.tags = tags;
    this.requests = requests;
    this.counters = counters;
    Timers timers = core.timers();
    nextCheck = timers.nanoTime();
  }

  /** Return the time between two looks. */
  long interval() {
    return Math.max(1, core.config().ioTimeoutNanos() / 8);
  }

  /** Tell whether a command is past its deadline, if it is time to look; commands seen for the first time get one. */
  boolean isAnyLate(long now) {
    if (now - nextCheck < 0) {
      return false;
    }
    nextCheck = now + interval();
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
    return late;
  }

  private long later(long now) {
    long deadline = now + core.config().ioTimeoutNanos();
    return deadline == 0 ? 1 : deadline;
  }

  /** Deal with every command that is past its deadline. */
  void expire(long now) {
    for (int tag = 0; tag < requests.length; tag++) {
      IoRequest request = requests[tag];
      if (tags.isLive(tag) && request.deadline != 0 && now - request.deadline >= 0) {
        expire(request, now);
      }
    }
  }

  /** Abort a late command, at the next look if not now, or want a reset. Its memory stays mapped: an abort is not a completion. */
  private void expire(IoRequest request, long now) {
    if (core.wantResetIfBroken()) {
      return;
    }
    if (request.aborted) {
      core.wantReset("a command on queue " + queueId + " did not complete after its abort");
    } else if (core.tryAbort(queueId, tags.idOf(request.tag))) {
      counters.timeouts++;
      request.aborted = true;
      request.deadline = later(now);
    } else if (core.admin().isHung()) {
      core.wantReset("a command on queue " + queueId + " is late and cannot be aborted: admin commands hang");
    }
  }
}
