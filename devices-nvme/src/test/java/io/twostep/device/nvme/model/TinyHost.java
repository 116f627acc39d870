package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.AqaLayout;
import io.twostep.device.nvme.wire.Bits;
import io.twostep.device.nvme.wire.CcLayout;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.CstsLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.QueueCommandLayout;
import io.twostep.device.nvme.wire.ReadWriteCommandLayout;
import io.twostep.device.nvme.wire.RegisterLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel.Signals;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** A host small enough to be seen through: memory at a fixed bus address, a clock by hand, queues one command at a time. */
final class TinyHost implements BusMaster, Signals, AutoCloseable {
  /** Where host memory is on the bus. */
  static final long BASE = 0x10_0000_0000L;

  static final int PAGE = 4096;

  /** Where tests may put data: behind the queues. */
  static final long DATA = BASE + 0x80_0000;

  private static final int MEMORY = 32 << 20;

  /** One memory for all hosts, of which one is used at a time; each finds what the last one left. */
  private static final MemorySegment SHARED = Arena.global().allocate(MEMORY, PAGE);

  /** What a completion said. */
  record Cqe(int queueId, int sqHead, int commandId, int status, long result) {
    int code() {
      return StatusCode.CODE.get(status);
    }
  }

  /** A queue pair as the host sees it. */
  static final class Queue {
    final int id;
    final int entries;
    final long sq;
    final long cq;
    int tail;
    int head;
    int phase = 1;

    Queue(int id, int entries, long sq, long cq) {
      this.id = id;
      this.entries = entries;
      this.sq = sq;
      this.cq = cq;
    }
  }

  final NvmeControllerModel model;
  final NvmeModelConfig config;
  final MemorySegment memory = SHARED;
  final List<Integer> interrupts = new ArrayList<>();
  final Queue admin = queue(0, 32);
  long now;
  long wokenAt = Long.MAX_VALUE;
  boolean broken;
  int accesses;
  private int nextId;

  TinyHost(NvmeModelConfig config) {
    this.config = config;
    model = new NvmeControllerModel(config);
    model.connect(this, this);
  }

  /** Create a controller, enable it and make I/O queue 1. */
  static TinyHost running(NvmeModelConfig config) {
    TinyHost host = new TinyHost(config);
    host.enable();
    return host;
  }

  Queue queue(int id, int entries) {
    return new Queue(id, entries, BASE + id * 0x10_0000L, BASE + id * 0x10_0000L + 0x8_0000L);
  }

  // The device's side of the bus.

  @Override
  public int read(long dmaAddress, MemorySegment target, long offset, long length) {
    accesses++;
    if (broken || !isMemory(dmaAddress, length)) {
      return UNSUPPORTED_REQUEST;
    }
    MemorySegment.copy(memory, dmaAddress - BASE, target, offset, length);
    return OK;
  }

  @Override
  public int write(long dmaAddress, MemorySegment source, long offset, long length) {
    accesses++;
    if (broken || !isMemory(dmaAddress, length)) {
      return UNSUPPORTED_REQUEST;
    }
    MemorySegment.copy(source, offset, memory, dmaAddress - BASE, length);
    return OK;
  }

  private static boolean isMemory(long dmaAddress, long length) {
    return dmaAddress >= BASE && dmaAddress - BASE <= MEMORY - length;
  }

  @Override
  public void interrupt(int vector) {
    interrupts.add(vector);
  }

  @Override
  public void wake() {
    wokenAt = Math.min(wokenAt, now);
  }

  @Override
  public void wakeAfter(long delayNanos) {
    wokenAt = Math.min(wokenAt, now + delayNanos);
  }

  @Override
  public long nanoTime() {
    return now;
  }

  // Registers.

  int read32(int offset) {
    return (int) model.read(0, offset, 4);
  }

  void write32(long offset, int value) {
    model.write(0, offset, 4, value);
  }

  void write64(int offset, long value) {
    write32(offset, (int) value);
    write32(offset + 4, (int) (value >>> 32));
  }

  long cap() {
    return Integer.toUnsignedLong(read32(0)) | (long) read32(4) << 32;
  }

  boolean csts(Bits bits) {
    return bits.isSet(read32(RegisterLayout.CSTS.offset()));
  }

  /** Let the model do everything it can without time going by. */
  void run() {
    wokenAt = Long.MAX_VALUE;
    while (model.step(1000)) {
      accesses++;
    }
  }

  /** Let time go by, and run the model at every moment it asked for. */
  void pass(long nanos) {
    long end = now + nanos;
    while (wokenAt <= end) {
      now = Math.max(now, wokenAt);
      run();
    }
    now = end;
    run();
  }

  void setUpAdminQueues() {
    clear(admin);
    write32(
        RegisterLayout.AQA.offset(),
        AqaLayout.ACQS.with(AqaLayout.ASQS.with(0, admin.entries - 1), admin.entries - 1));
    write64(RegisterLayout.ASQ.offset(), admin.sq);
    write64(RegisterLayout.ACQ.offset(), admin.cq);
  }

  int cc() {
    int cc = CcLayout.IOSQES.with(CcLayout.IOCQES.with(0, 4), 6);
    return CcLayout.MPS.with(cc, config.mpsMin());
  }

  void enable() {
    admin.tail = 0;
    admin.head = 0;
    admin.phase = 1;
    setUpAdminQueues();
    write32(RegisterLayout.CC.offset(), CcLayout.EN.with(cc(), 1));
    pass(config.readyNanos());
    if (!csts(CstsLayout.RDY)) {
      throw new AssertionError("not ready: " + model.violations());
    }
  }

  void disable() {
    write32(RegisterLayout.CC.offset(), cc());
    pass(config.readyNanos());
  }

  /** Make an I/O queue pair whose completions interrupt by vector = queue id. */
  Queue createQueue(int id, int entries) {
    Queue queue = queue(id, entries);
    Cqe cq = admin(createCompletion(queue, 1 << 1 | 1, id));
    Cqe sq = admin(createSubmission(queue, id));
    if (cq.status() != 0 || sq.status() != 0) {
      throw new AssertionError("queue " + id + ": " + cq + " " + sq);
    }
    return queue;
  }

  MemorySegment createCompletion(Queue queue, int flags, int vector) {
    clear(queue);
    MemorySegment sqe = command(AdminOpcode.CREATE_COMPLETION_QUEUE, 0);
    SqeLayout.PRP1.set(sqe, 0, queue.cq);
    QueueCommandLayout.QUEUE_ID.set(sqe, 0, queue.id);
    QueueCommandLayout.ENTRIES.set(sqe, 0, queue.entries - 1);
    QueueCommandLayout.FLAGS.set(sqe, 0, flags);
    QueueCommandLayout.VECTOR.set(sqe, 0, vector);
    return sqe;
  }

  MemorySegment createSubmission(Queue queue, int completionQueueId) {
    MemorySegment sqe = command(AdminOpcode.CREATE_SUBMISSION_QUEUE, 0);
    SqeLayout.PRP1.set(sqe, 0, queue.sq);
    QueueCommandLayout.QUEUE_ID.set(sqe, 0, queue.id);
    QueueCommandLayout.ENTRIES.set(sqe, 0, queue.entries - 1);
    QueueCommandLayout.FLAGS.set(sqe, 0, 1);
    QueueCommandLayout.COMPLETION_QUEUE_ID.set(sqe, 0, completionQueueId);
    return sqe;
  }

  private void clear(Queue queue) {
    long length = (long) queue.entries * CqeLayout.SIZE;
    if (isMemory(queue.cq, length)) {
      memory.asSlice(queue.cq - BASE, length).fill((byte) 0);
    }
  }

  // Commands.

  /** Make a command with a new id. */
  MemorySegment command(int opcode, int nsid) {
    MemorySegment sqe = Arena.ofAuto().allocate(SqeLayout.SIZE, 8);
    SqeLayout.OPCODE.set(sqe, 0, opcode);
    SqeLayout.COMMAND_ID.set(sqe, 0, nextId++ & 0xfff);
    SqeLayout.NSID.set(sqe, 0, nsid);
    return sqe;
  }

  /** Make a command on blocks of namespace 1 with data at {@link #DATA}. */
  MemorySegment io(int opcode, long lba, int blocks) {
    MemorySegment sqe = command(opcode, 1);
    ReadWriteCommandLayout.SLBA.set(sqe, 0, lba);
    ReadWriteCommandLayout.NLB.set(sqe, 0, blocks - 1);
    return sqe;
  }

  /** Point at one or two pages of data. */
  static MemorySegment prp(MemorySegment sqe, long prp1, long prp2) {
    SqeLayout.PRP1.set(sqe, 0, prp1);
    SqeLayout.PRP2.set(sqe, 0, prp2);
    return sqe;
  }

  /** Put a command into the queue without ringing. */
  void put(Queue queue, MemorySegment sqe) {
    MemorySegment.copy(sqe, 0, memory, queue.sq - BASE + (long) queue.tail * SqeLayout.SIZE, SqeLayout.SIZE);
    queue.tail = (queue.tail + 1) % queue.entries;
  }

  void ringTail(Queue queue) {
    write32(DoorbellLayout.submissionTail(queue.id, config.doorbellStride()), queue.tail);
  }

  void ringHead(Queue queue) {
    write32(DoorbellLayout.completionHead(queue.id, config.doorbellStride()), queue.head);
  }

  void submit(Queue queue, MemorySegment sqe) {
    put(queue, sqe);
    ringTail(queue);
    run();
  }

  /** Take every completion that is there, and say so. */
  List<Cqe> reap(Queue queue) {
    List<Cqe> taken = peekAll(queue);
    if (!taken.isEmpty()) {
      ringHead(queue);
      run();
    }
    return taken;
  }

  /** Take every completion that is there, and tell nobody. */
  List<Cqe> peekAll(Queue queue) {
    List<Cqe> taken = new ArrayList<>();
    while (true) {
      long at = queue.cq - BASE + (long) queue.head * CqeLayout.SIZE;
      int word = CqeLayout.STATUS_PHASE.getAcquire(memory, at);
      if ((word & 1) != queue.phase) {
        return taken;
      }
      if (taken.size() == queue.entries) {
        throw new AssertionError("more completions than entries: the phase is wrong or the queue was overrun");
      }
      taken.add(
          new Cqe(
              CqeLayout.SQ_ID.get(memory, at),
              CqeLayout.SQ_HEAD.get(memory, at),
              CqeLayout.COMMAND_ID.get(memory, at),
              word >>> 1,
              CqeLayout.RESULT.get(memory, at)));
      queue.head++;
      if (queue.head == queue.entries) {
        queue.head = 0;
        queue.phase ^= 1;
      }
    }
  }

  /** Do one command and return its completion. */
  Cqe execute(Queue queue, MemorySegment sqe) {
    submit(queue, sqe);
    List<Cqe> taken = reap(queue);
    if (taken.size() != 1 || taken.getFirst().commandId() != SqeLayout.COMMAND_ID.get(sqe, 0)) {
      throw new AssertionError("expected one completion, got " + taken + "; " + model.violations());
    }
    return taken.getFirst();
  }

  Cqe admin(MemorySegment sqe) {
    return execute(admin, sqe);
  }

  /** Return host memory from a bus address on. */
  MemorySegment at(long dmaAddress, long length) {
    return memory.asSlice(dmaAddress - BASE, length);
  }

  @Override
  public void close() {
    model.close();
  }
}
