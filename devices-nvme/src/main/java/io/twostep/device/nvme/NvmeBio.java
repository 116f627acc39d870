package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.PhysRanges;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * One request to a namespace: what to do, which blocks, and the caller's memory as ranges. A request of any size: the queue splits it into as many commands
 * as the controller wants.
 *
 * <p>Set up by one thread, submitted by {@link NvmeQueue#trySubmit}, then the driver's until {@link #isDone}; reusable at once afterwards, and a
 * reused one allocates nothing. The ranges may not change, and belong to no other request, while it is under way. A request whose parts
 * failed may have moved some of its blocks.
 */
public final class NvmeBio {
  /** In {@link #protection}: check what the format allows: guard, and reference tag for types 1 and 2. */
  public static final int CHECK_DEFAULT = -1;

  /** In {@link #protection}: check nothing. */
  public static final int CHECK_NOTHING = 0;

  /** In {@link #protection}: check the guard. */
  public static final int CHECK_GUARD = 4;

  /** In {@link #protection}: check the application tag. */
  public static final int CHECK_APPLICATION = 2;

  /** In {@link #protection}: check the reference tag. */
  public static final int CHECK_REFERENCE = 1;

  private static final int IDLE = 0;
  private static final int BUSY = 1;
  private static final int DONE = 2;

  private static final VarHandle PHASE;

  static {
    try {
      PHASE = MethodHandles.lookup().findVarHandle(NvmeBio.class, "phase", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  @SuppressWarnings("unused") // written through PHASE
  private int phase;

  private @Nullable NvmeNamespace namespace;
  private NvmeOperation operation = NvmeOperation.FLUSH;
  private long lba;
  private long blocks;
  private @Nullable PhysRanges data;
  private @Nullable PhysRanges metadata;
  private boolean forceUnitAccess;
  private boolean interleaved;
  private int checks = CHECK_DEFAULT;
  private int applicationTag;
  private int applicationMask;
  private boolean ownReferenceTag;
  private long referenceTag;
  private @Nullable NvmeCallback callback;

  // The queue's while the request is under way.
  long issuedBlocks;
  boolean fullyIssued;
  int outstanding;
  @Nullable NvmeBio next;
  private int status;
  private @Nullable RuntimeException cause;

  /** Create an idle request. */
  public NvmeBio() {}

  /**
   * Make this a read into {@code data}.
   *
   * @param data at least {@link NvmeNamespace#dataBytes} of {@code blocks}; what is beyond is not touched
   */
  public NvmeBio read(NvmeNamespace namespace, long lba, long blocks, PhysRanges data) {
    return set(NvmeOperation.READ, namespace, lba, blocks, data);
  }

  /** Make this a write from {@code data}; as {@link #read}. */
  public NvmeBio write(NvmeNamespace namespace, long lba, long blocks, PhysRanges data) {
    return set(NvmeOperation.WRITE, namespace, lba, blocks, data);
  }

  /** Make this a comparison of blocks with {@code data}; as {@link #read}. */
  public NvmeBio compare(NvmeNamespace namespace, long lba, long blocks, PhysRanges data) {
    return set(NvmeOperation.COMPARE, namespace, lba, blocks, data);
  }

  /** Make this a flush. */
  public NvmeBio flush(NvmeNamespace namespace) {
    return set(NvmeOperation.FLUSH, namespace, 0, 0, null);
  }

  /** Make this a write of zeroes. */
  public NvmeBio writeZeroes(NvmeNamespace namespace, long lba, long blocks) {
    return set(NvmeOperation.WRITE_ZEROES, namespace, lba, blocks, null);
  }

  /** Make this a trim. */
  public NvmeBio trim(NvmeNamespace namespace, long lba, long blocks) {
    return set(NvmeOperation.TRIM, namespace, lba, blocks, null);
  }

  /** Make this a verification. */
  public NvmeBio verify(NvmeNamespace namespace, long lba, long blocks) {
    return set(NvmeOperation.VERIFY, namespace, lba, blocks, null);
  }

  /** Make this any operation; {@code data} is null for those that move none. Clears metadata, tags and flags; keeps the callback. */
  NvmeBio set(NvmeOperation operation, NvmeNamespace namespace, long lba, long blocks, @Nullable PhysRanges data) {
    requireNotBusy();
    namespace.requireBlocks(operation, lba, blocks);
    this.namespace = namespace;
    this.operation = operation;
    this.lba = lba;
    this.blocks = blocks;
    this.data = data;
    metadata = null;
    forceUnitAccess = false;
    interleaved = false;
    checks = CHECK_DEFAULT;
    applicationTag = 0;
    applicationMask = 0;
    ownReferenceTag = false;
    return this;
  }

  /** Give the blocks' metadata memory of its own, {@link NvmeNamespace#metadataSize} bytes per block; after the operation is set. */
  public NvmeBio metadata(PhysRanges ranges) {
    requireNotBusy();
    metadata = ranges;
    return this;
  }

  /** Ask that a write be on the medium when it completes, or that a read come from it; after the operation is set. */
  public NvmeBio forceUnitAccess() {
    requireNotBusy();
    forceUnitAccess = true;
    return this;
  }

  /**
   * Say that {@code data} carries each block's metadata behind the block, on a format that has it there and whose protection information the controller
   * could otherwise insert and strip; after the operation is set.
   */
  public NvmeBio interleaved() {
    requireNotBusy();
    interleaved = true;
    return this;
  }

  /**
   * Say what the controller checks on a protected format; after the operation is set.
   *
   * @param checks {@code CHECK_} bits, or {@link #CHECK_DEFAULT}
   * @param applicationTag 16 bits: expected, or stored where the controller inserts
   * @param applicationMask bits of it that must match
   */
  public NvmeBio protection(int checks, int applicationTag, int applicationMask) {
    requireNotBusy();
    this.checks = checks;
    this.applicationTag = applicationTag & 0xffff;
    this.applicationMask = applicationMask & 0xffff;
    return this;
  }

  /** Use a reference tag other than the block's number for the first block, as types 2 and 3 allow; after the operation is set. */
  public NvmeBio referenceTag(long initial) {
    requireNotBusy();
    ownReferenceTag = true;
    referenceTag = initial;
    return this;
  }

  /** Call {@code callback} whenever this request is done, until another is set. */
  public NvmeBio onDone(@Nullable NvmeCallback callback) {
    requireNotBusy();
    this.callback = callback;
    return this;
  }

  /** Tell whether the request is over, well or not. */
  public boolean isDone() {
    return (int) PHASE.getAcquire(this) == DONE;
  }

  /** Tell whether the request is with a queue. */
  public boolean isBusy() {
    return (int) PHASE.getAcquire(this) == BUSY;
  }

  /** Return the status of the first command that failed, as {@link NvmeException#status}; 0 if all went well. */
  public int status() {
    requireDone();
    return status;
  }

  /** Return why the request failed: an {@link NvmeException}, or what the mapping layer threw; null if it went well. */
  public @Nullable RuntimeException failure() {
    requireDone();
    if (cause != null) {
      return cause;
    }
    NvmeNamespace on = namespace;
    return status == StatusCode.SUCCESS || on == null ? null : on.failed(operation, lba, blocks, status);
  }

  /** Throw the failure, if the request failed. */
  public void check() {
    RuntimeException failure = failure();
    if (failure != null) {
      throw failure;
    }
  }

  /** Return the operation. */
  public NvmeOperation operation() {
    return operation;
  }

  /** Return the first block. */
  public long lba() {
    return lba;
  }

  /** Return the number of blocks. */
  public long blocks() {
    return blocks;
  }

  /** Return the namespace; null before the first operation is set. */
  public @Nullable NvmeNamespace namespace() {
    return namespace;
  }

  @Nullable PhysRanges data() {
    return data;
  }

  @Nullable PhysRanges metadata() {
    return metadata;
  }

  boolean isForceUnitAccess() {
    return forceUnitAccess;
  }

  boolean isInterleaved() {
    return interleaved;
  }

  int checks() {
    return checks;
  }

  int applicationTag() {
    return applicationTag;
  }

  int applicationMask() {
    return applicationMask;
  }

  long initialReferenceTag() {
    return ownReferenceTag ? referenceTag : lba;
  }

  NvmeNamespace target() {
    NvmeNamespace on = namespace;
    if (on == null) {
      throw new IllegalStateException("the request was not set up: call read(), write() or another first");
    }
    return on;
  }

  /** Hand the request to a queue. */
  void begin() {
    int now = (int) PHASE.getAcquire(this);
    if (now == BUSY || !PHASE.compareAndSet(this, now, BUSY)) {
      throw busy();
    }
    issuedBlocks = 0;
    fullyIssued = false;
    outstanding = 0;
    next = null;
    status = StatusCode.SUCCESS;
    cause = null;
  }

  /** Take the request back before anything of it was issued. */
  void takeBack() {
    PHASE.setRelease(this, IDLE);
  }

  /** Note that a part failed; the first failure stays. */
  void fail(int partStatus) {
    if (!hasFailed()) {
      status = partStatus;
    }
  }

  void fail(RuntimeException why) {
    if (!hasFailed()) {
      cause = why;
    }
  }

  boolean hasFailed() {
    return status != StatusCode.SUCCESS || cause != null;
  }

  /** Give the request back to its owner, and tell. */
  void finish() {
    NvmeCallback then = callback;
    PHASE.setRelease(this, DONE);
    if (then != null) {
      then.done(this);
    }
  }

  private void requireNotBusy() {
    if ((int) PHASE.getAcquire(this) == BUSY) {
      throw busy();
    }
  }

  private void requireDone() {
    if (!isDone()) {
      throw new IllegalStateException("the request is not done");
    }
  }

  private static IllegalStateException busy() {
    return new IllegalStateException("the request is under way; wait until it is done");
  }
}
