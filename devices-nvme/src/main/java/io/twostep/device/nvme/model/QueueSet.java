package io.twostep.device.nvme.model;

import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.wire.AqaLayout;
import io.twostep.device.nvme.wire.AsyncEventLayout;
import io.twostep.device.nvme.wire.CcLayout;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.ErrorLogLayout;
import io.twostep.device.nvme.wire.LogPageCommandLayout;
import io.twostep.device.nvme.wire.QueueCommandLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The queues that exist, how they come and go, and what doorbells do to them (Base 3.3, 5.4 to 5.7; PCIe 3.1.2). */
final class QueueSet {
  private final NvmeModelConfig config;
  private final HostMemory memory;
  private final ShadowDoorbells shadows;
  private final AsyncEvents events;
  private final ErrorLog log;
  private final Violations violations;
  private final @Nullable SubmissionQueue[] submission;
  private final @Nullable CompletionQueue[] completion;
  private int granted;
  private int highest;

  QueueSet(
      NvmeModelConfig config,
      HostMemory memory,
      ShadowDoorbells shadows,
      AsyncEvents events,
      ErrorLog log,
      Violations violations) {
    this.config = config;
    this.memory = memory;
    this.shadows = shadows;
    this.events = events;
    this.log = log;
    this.violations = violations;
    submission = new SubmissionQueue[config.ioQueues() + 1];
    completion = new CompletionQueue[config.ioQueues() + 1];
    granted = config.ioQueues();
  }

  /** Forget all queues. */
  void clear() {
    Arrays.fill(submission, null);
    Arrays.fill(completion, null);
    granted = config.ioQueues();
    highest = 0;
  }

  /** Make the admin queues. */
  void createAdmin(long sqBase, long cqBase, int aqa) {
    CompletionQueue cq = new CompletionQueue(0, cqBase, AqaLayout.ACQS.get(aqa) + 1, 0, true);
    cq.users = 1;
    completion[0] = cq;
    submission[0] = new SubmissionQueue(0, sqBase, AqaLayout.ASQS.get(aqa) + 1, cq);
  }

  @Nullable SubmissionQueue submission(int id) {
    return id < submission.length ? submission[id] : null;
  }

  @Nullable CompletionQueue completion(int id) {
    return id < completion.length ? completion[id] : null;
  }

  /** Return the highest id of any queue that exists. */
  int highest() {
    return highest;
  }

  int granted() {
    return granted;
  }

  /** Grant up to {@code wanted} I/O queues; false once one exists. */
  boolean grant(int wanted) {
    if (highest > 0) {
      return false;
    }
    granted = Math.min(wanted, config.ioQueues());
    return true;
  }

  /** Carry out create I/O completion queue; returns a status code. */
  int createCompletion(MemorySegment sqe, long base, int cc, int pageSize) {
    int id = QueueCommandLayout.QUEUE_ID.get(sqe, base);
    int flags = QueueCommandLayout.FLAGS.get(sqe, base);
    int vector = QueueCommandLayout.VECTOR.get(sqe, base);
    long address = SqeLayout.PRP1.get(sqe, base);
    if (id == 0 || id > granted || completion[id] != null) {
      return StatusCode.INVALID_QUEUE_ID;
    }
    int status = checkQueue(sqe, base, pageSize, CcLayout.IOCQES.get(cc) == CqeLayout.SIZE_SHIFT);
    if (status != StatusCode.SUCCESS) {
      return status;
    }
    boolean interrupts = QueueCommandLayout.IEN.isSet(flags);
    if (vector >= config.vectors() && interrupts) {
      return StatusCode.INVALID_INTERRUPT_VECTOR;
    }
    int entries = QueueCommandLayout.ENTRIES.get(sqe, base) + 1;
    if (!memory.permits(address, (long) entries * CqeLayout.SIZE, CmbUse.COMPLETION_QUEUES)) {
      return StatusCode.INVALID_USE_OF_CMB;
    }
    completion[id] = new CompletionQueue(id, address, entries, vector, interrupts);
    highest = Math.max(highest, id);
    return StatusCode.SUCCESS;
  }

  /** Carry out create I/O submission queue; returns a status code. */
  int createSubmission(MemorySegment sqe, long base, int cc, int pageSize) {
    int id = QueueCommandLayout.QUEUE_ID.get(sqe, base);
    int cqId = QueueCommandLayout.COMPLETION_QUEUE_ID.get(sqe, base);
    long address = SqeLayout.PRP1.get(sqe, base);
    if (id == 0 || id > granted || submission[id] != null) {
      return StatusCode.INVALID_QUEUE_ID;
    }
    if (cqId == 0 || cqId > granted) {
      return StatusCode.INVALID_QUEUE_ID;
    }
    CompletionQueue cq = completion[cqId];
    if (cq == null) {
      return StatusCode.COMPLETION_QUEUE_INVALID;
    }
    int status = checkQueue(sqe, base, pageSize, CcLayout.IOSQES.get(cc) == SqeLayout.SIZE_SHIFT);
    if (status != StatusCode.SUCCESS) {
      return status;
    }
    int entries = QueueCommandLayout.ENTRIES.get(sqe, base) + 1;
    if (!memory.permits(address, (long) entries * SqeLayout.SIZE, CmbUse.SUBMISSION_QUEUES)) {
      return StatusCode.INVALID_USE_OF_CMB;
    }
    submission[id] = new SubmissionQueue(id, address, entries, cq);
    cq.users++;
    highest = Math.max(highest, id);
    return StatusCode.SUCCESS;
  }

  private int checkQueue(MemorySegment sqe, long base, int pageSize, boolean entrySizeSet) {
    int last = QueueCommandLayout.ENTRIES.get(sqe, base);
    long address = SqeLayout.PRP1.get(sqe, base);
    if (last == 0 || last >= config.queueEntries() || !entrySizeSet) {
      return StatusCode.INVALID_QUEUE_SIZE;
    }
    if (!QueueCommandLayout.PC.isSet(QueueCommandLayout.FLAGS.get(sqe, base)) || address == 0) {
      return StatusCode.INVALID_FIELD;
    }
    return (address & (pageSize - 1)) == 0 ? StatusCode.SUCCESS : StatusCode.PRP_OFFSET_INVALID;
  }

  /** Take an I/O submission queue out; null if there is none with this id. */
  @Nullable SubmissionQueue removeSubmission(int id) {
    SubmissionQueue queue = id == 0 ? null : submission(id);
    if (queue != null) {
      submission[id] = null;
      queue.completions.users--;
      lowerHighest();
    }
    return queue;
  }

  /** Carry out delete I/O completion queue; returns a status code. */
  int deleteCompletion(int id) {
    CompletionQueue queue = id == 0 ? null : completion(id);
    if (queue == null) {
      return StatusCode.INVALID_QUEUE_ID;
    }
    if (queue.users != 0) {
      return StatusCode.INVALID_QUEUE_DELETION;
    }
    completion[id] = null;
    lowerHighest();
    return StatusCode.SUCCESS;
  }

  private void lowerHighest() {
    while (highest > 0 && submission[highest] == null && completion[highest] == null) {
      highest--;
    }
  }

  /** Take a doorbell write at an offset in BAR 0; a wrong one becomes an event and changes nothing. */
  void ring(long offset, int value) {
    if (!DoorbellLayout.isDoorbell(offset, config.doorbellStride())) {
      refuse(AsyncEventLayout.ERROR_INVALID_DOORBELL_REGISTER, "write at 0x" + Long.toHexString(offset) + ", where no doorbell is");
      return;
    }
    long id = DoorbellLayout.queueId(offset, config.doorbellStride());
    if (DoorbellLayout.isCompletionHead(offset, config.doorbellStride())) {
      ringHead(id, value);
    } else {
      ringTail(id, value);
    }
  }

  private void ringTail(long id, int value) {
    SubmissionQueue queue = id < submission.length ? submission[(int) id] : null;
    if (queue == null) {
      refuse(AsyncEventLayout.ERROR_INVALID_DOORBELL_REGISTER, "tail doorbell of submission queue " + id + ", which does not exist");
    } else if (!shadows.covers(queue.id) && !moveTail(queue, value)) {
      refuse(AsyncEventLayout.ERROR_INVALID_DOORBELL_VALUE, "tail " + value + " of submission queue " + id + " at " + queue.tail);
    }
  }

  private void ringHead(long id, int value) {
    CompletionQueue queue = id < completion.length ? completion[(int) id] : null;
    if (queue == null) {
      refuse(AsyncEventLayout.ERROR_INVALID_DOORBELL_REGISTER, "head doorbell of completion queue " + id + ", which does not exist");
    } else if (!shadows.covers(queue.id) && !moveHead(queue, value)) {
      refuse(
          AsyncEventLayout.ERROR_INVALID_DOORBELL_VALUE,
          "head " + value + " of completion queue " + id + " between " + queue.head + " and " + queue.tail);
    }
  }

  /** Move a tail; false if the index is outside the queue, the same as before, or would announce more than fits. */
  static boolean moveTail(SubmissionQueue queue, int value) {
    if (value < 0 || value >= queue.entries || value == queue.tail) {
      return false;
    }
    int added = value > queue.tail ? value - queue.tail : value - queue.tail + queue.entries;
    if (added > queue.entries - 1 - queue.pending()) {
      return false;
    }
    queue.tail = value;
    return true;
  }

  /** Move a head; false if the index is outside the queue, the same as before, or consumes what was not posted. */
  static boolean moveHead(CompletionQueue queue, int value) {
    if (value < 0 || value >= queue.entries || value == queue.head) {
      return false;
    }
    int consumed = value > queue.head ? value - queue.head : value - queue.head + queue.entries;
    if (consumed > queue.used()) {
      return false;
    }
    queue.head = value;
    return true;
  }

  /** Report a doorbell that cannot be. */
  void refuse(int information, String what) {
    violations.add(what);
    log.add(ErrorLogLayout.NONE, ErrorLogLayout.NONE, StatusCode.SUCCESS, 0, 0);
    events.raise(AsyncEventLayout.TYPE_ERROR, information, LogPageCommandLayout.LID_ERROR);
  }
}
