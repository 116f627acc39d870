package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.SqeLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A command that was fetched and not completed, because a fault put it aside or because it takes its time. */
final class HeldCommand {
  /** What happens when its time comes. */
  enum Then {
    /** Nothing: only an abort, or the end of its queue, ends it. */
    NOTHING,
    /** It is carried out and completed. */
    EXECUTE,
    /** It is completed with its status. */
    COMPLETE
  }

  final SubmissionQueue queue;
  final int commandId;
  final MemorySegment sqe;
  Then then;
  long dueNanos;
  int status;

  /** Whether this is an abort that takes its time. */
  boolean isSlowAbort;

  HeldCommand(SubmissionQueue queue, int commandId, MemorySegment fetched, long at, Then then, long dueNanos) {
    this.queue = queue;
    this.commandId = commandId;
    this.then = then;
    this.dueNanos = dueNanos;
    sqe = Arena.ofAuto().allocate(SqeLayout.SIZE, Long.BYTES).copyFrom(fetched.asSlice(at, SqeLayout.SIZE));
  }

  boolean isDue(long now) {
    return then != Then.NOTHING && now - dueNanos >= 0;
  }
}
