package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.SqeLayout;

/**
 * How deep I/O queues are, and where their submission halves lie.
 *
 * <p>The controller's own memory is preferred where it takes queues: a command is there before its doorbell rings, and the controller need not fetch it. Queues
 * become shallower to fit, but not below {@link #LEAST_DEPTH}: then they stay in host memory.
 */
final class QueuePlacement {
  /** The fewest entries that a queue may be cut to for the sake of fitting. */
  static final int LEAST_DEPTH = 64;

  private final ControllerCore core;
  private final int depth;
  private final long spacing;
  private final boolean inController;

  private QueuePlacement(ControllerCore core, int depth, long spacing, boolean inController) {
    this.core = core;
    this.depth = depth;
    this.spacing = spacing;
    this.inController = inController;
  }

  /** Place {@code count} queues; takes what they need of the controller's memory. */
  static QueuePlacement of(ControllerCore core, int count) {
    int depth = Math.min(core.config().queueDepth(), core.maxQueueEntries());
    ControllerMemoryBuffer buffer = core.memoryBuffer();
    if (buffer == null || count == 0 || !core.config().cmbQueues() || !buffer.takesSubmissionQueues()) {
      return new QueuePlacement(core, depth, 0, false);
    }
    long page = core.pageSize();
    long room = buffer.freeLength(page) / count & -page;
    int fitting = (int) Math.min(depth, room / SqeLayout.SIZE);
    if (fitting < Math.min(depth, LEAST_DEPTH)) {
      return new QueuePlacement(core, depth, 0, false);
    }
    long spacing = (long) fitting * SqeLayout.SIZE + page - 1 & -page;
    return new QueuePlacement(core, fitting, spacing, true);
  }

  int depth() {
    return depth;
  }

  /** Make the memory of queue {@code id}'s submission half; the caller closes it. */
  SubmissionMemory submissionMemory(int id) {
    ControllerMemoryBuffer buffer = core.memoryBuffer();
    long length = (long) depth * SqeLayout.SIZE;
    if (!inController || buffer == null) {
      // A queue begins on a page of the controller: coherent memory is aligned to its own size.
      return SubmissionMemory.ofHost(core.mapper().allocateCoherent(Math.max(core.pageSize(), length)));
    }
    return SubmissionMemory.ofController(buffer, buffer.take(spacing, core.pageSize()), length);
  }
}
