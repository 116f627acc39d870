package io.twostep.device.nvme;

import io.twostep.dma.DmaMappingException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Requests that are over and whose callers were not told yet, in order. Used under the queue's guard, but for {@link #deliver}. */
final class DoneList {
  private static final Logger LOG = LoggerFactory.getLogger(NvmeQueue.class);

  private final QueueCounters counters;
  private @Nullable NvmeBio first;
  private @Nullable NvmeBio last;

  DoneList(QueueCounters counters) {
    this.counters = counters;
  }

  void add(NvmeBio bio) {
    counters.requests++;
    bio.next = null;
    NvmeBio before = last;
    if (before == null) {
      first = bio;
    } else {
      before.next = bio;
    }
    last = bio;
  }

  /** Fail all that are in the list: their memory may still be the controller's. */
  void fail(DmaMappingException cause) {
    for (NvmeBio bio = first; bio != null; bio = bio.next) {
      bio.fail(cause);
    }
  }

  /** Take all; each leads to the next. */
  @Nullable NvmeBio take() {
    NvmeBio taken = first;
    first = null;
    last = null;
    return taken;
  }

  /** Give finished requests back, outside the guard: callbacks may submit. */
  static void deliver(@Nullable NvmeBio taken, String controller) {
    NvmeBio bio = taken;
    while (bio != null) {
      NvmeBio following = bio.next;
      try {
        bio.finish();
      } catch (Throwable e) {
        // Errors too: whoever polls waits for a request of his own, and those behind this one end here or never.
        LOG.error("{}: the callback of a finished request threw", controller, e);
      }
      bio = following;
    }
  }
}
