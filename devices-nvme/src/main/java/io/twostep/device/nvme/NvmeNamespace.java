package io.twostep.device.nvme;

import io.twostep.device.nvme.protection.ProtectionFormat;
import io.twostep.device.nvme.protection.ProtectionInformation;
import io.twostep.device.nvme.wire.ReadWriteCommandLayout;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One namespace: numbered blocks that are read and written.
 *
 * <p>Thread-safe. The calls here wait until they are done, and go through the queue of the calling thread. Memory is given as ranges, as
 * a block, or as any segment: memory of the machine is moved in place, other memory is copied through a buffer of the driver's. Requests
 * of any size are split as the controller wants. For requests that do not wait, see {@link #submit} and {@link #start}; to count nanoseconds, use {@link
 * NvmeQueue} with one's own {@link NvmeBio}s.
 */
public final class NvmeNamespace {
  private final NvmeController controller;
  private final ControllerCore core;
  private final int id;
  private final NamespaceFormat format;
  private final @Nullable ProtectionFormat protection;
  private final boolean controllerProtectable;

  NvmeNamespace(NvmeController controller, ControllerCore core, int id, NamespaceFormat format) {
    this.controller = controller;
    this.core = core;
    this.id = id;
    this.format = format;
    protection = format.protection();
    controllerProtectable = format.isControllerProtectable();
  }

  /** Return the namespace's id. */
  public int id() {
    return id;
  }

  /** Return the controller. */
  public NvmeController controller() {
    return controller;
  }

  /** Return how many blocks there are. */
  public long blocks() {
    return format.blocks();
  }

  /** Return the data bytes of a block, a power of two. */
  public int blockSize() {
    return format.blockSize();
  }

  /** Return the data bytes of all blocks. */
  public long size() {
    return format.blocks() * format.blockSize();
  }

  /** Return the metadata bytes of a block; 0 for none. */
  public int metadataSize() {
    return format.metadataSize();
  }

  /** Tell whether metadata follows each block's data in the same memory, rather than lying in memory of its own. */
  public boolean isExtended() {
    return format.extended();
  }

  /** Return the type of the blocks' protection, 1 to 3; 0 for none. */
  public int protectionType() {
    return protection == null ? 0 : protection.type();
  }

  /**
   * Return the bytes that {@code blocks} blocks take in the data memory of a request without metadata of its own.
   *
   * <p>Where the controller inserts and strips the metadata it is not among them. It does so for reads and writes: a comparison always takes it, behind each
   * block if {@link #isExtended}.
   */
  public long dataBytes(long blocks) {
    return Math.multiplyExact(blocks, (long) (format.extended() && !controllerProtectable ? extendedSize() : blockSize()));
  }

  // Requests that wait.

  /**
   * Read blocks.
   *
   * @param data at least {@link #dataBytes} of {@code blocks}
   * @throws NvmeException if the controller reports a failure
   * @throws io.twostep.dma.DmaMappingException if the memory cannot be mapped
   * @throws IllegalArgumentException if blocks or memory are not right
   */
  public void read(long lba, long blocks, PhysRanges data) {
    run(new NvmeBio().read(this, lba, blocks, data));
  }

  /** Read as many blocks as fill {@code target}. */
  public void read(long lba, MemoryBlock target) {
    read(lba, wholeBlocks(target.length()), target.ranges());
  }

  /** Read as many blocks as fill {@code target}, of any kind of memory. */
  public void read(long lba, MemorySegment target) {
    move(NvmeOperation.READ, lba, target);
  }

  /** Write blocks; as {@link #read(long, long, PhysRanges)}. */
  public void write(long lba, long blocks, PhysRanges data) {
    run(new NvmeBio().write(this, lba, blocks, data));
  }

  /** Write all of {@code source}, a whole number of blocks. */
  public void write(long lba, MemoryBlock source) {
    write(lba, wholeBlocks(source.length()), source.ranges());
  }

  /** Write all of {@code source}, a whole number of blocks of any kind of memory. */
  public void write(long lba, MemorySegment source) {
    move(NvmeOperation.WRITE, lba, source);
  }

  /**
   * Compare blocks with memory.
   *
   * @throws NvmeException COMPARE_MISMATCH if they differ, NOT_SUPPORTED if the controller cannot compare
   */
  public void compare(long lba, long blocks, PhysRanges data) {
    run(new NvmeBio().compare(this, lba, blocks, data));
  }

  /** Compare blocks with all of {@code expected}, of any kind of memory. */
  public void compare(long lba, MemorySegment expected) {
    move(NvmeOperation.COMPARE, lba, expected);
  }

  /** Make everything that was written durable. */
  public void flush() {
    run(new NvmeBio().flush(this));
  }

  /** Tell the device that blocks are no longer needed; nothing is sent if the controller has no such command, for it is a hint. */
  public void trim(long lba, long blocks) {
    NvmeBio bio = new NvmeBio().trim(this, lba, blocks);
    if (core.facts().supports(NvmeOperation.TRIM)) {
      run(bio);
    }
  }

  /** Set blocks to zero. */
  public void writeZeroes(long lba, long blocks) {
    run(new NvmeBio().writeZeroes(this, lba, blocks));
  }

  /** Let the device check blocks. */
  public void verify(long lba, long blocks) {
    run(new NvmeBio().verify(this, lba, blocks));
  }

  /** Submit a request and wait until it is done; throws its failure. */
  public void run(NvmeBio bio) {
    submit(bio).await(bio);
    bio.check();
  }

  // Requests that do not wait.

  /**
   * Submit a request, waiting for room if there is none.
   *
   * @return the queue it went to, which must be polled, by this or another thread, for the request to end
   */
  public NvmeQueue submit(NvmeBio bio) {
    if (bio.namespace() != this) {
      throw new IllegalArgumentException(core.name() + ": the request is for another namespace than " + id);
    }
    NvmeQueue queue = controller.queueOfThread();
    int fruitless = 0;
    Deadline patience = null;
    while (!queue.trySubmit(bio)) {
      if (queue.poll() == 0) {
        patience = queue.pause(++fruitless, patience);
      }
    }
    if (patience != null) {
      patience.close();
    }
    return queue;
  }

  /**
   * Submit a request and return a view of it as a future, which completes with the request or with its failure.
   *
   * <p>Waiting for the future, or for one derived from it, polls the queue. Replaces the request's callback.
   */
  public CompletableFuture<NvmeBio> start(NvmeBio bio) {
    NvmeFuture<NvmeBio> future = new NvmeFuture<>(controller);
    bio.onDone(
        done -> {
          RuntimeException failure = done.failure();
          if (failure == null) {
            future.complete(done);
          } else {
            future.completeExceptionally(failure);
          }
        });
    submit(bio);
    return future;
  }

  /** Start reading blocks; as {@link #start}. */
  public CompletableFuture<NvmeBio> readAsync(long lba, long blocks, PhysRanges data) {
    return start(new NvmeBio().read(this, lba, blocks, data));
  }

  /** Start writing blocks; as {@link #start}. */
  public CompletableFuture<NvmeBio> writeAsync(long lba, long blocks, PhysRanges data) {
    return start(new NvmeBio().write(this, lba, blocks, data));
  }

  /** Start a flush; as {@link #start}. */
  public CompletableFuture<NvmeBio> flushAsync() {
    return start(new NvmeBio().flush(this));
  }

  /**
   * Open a view of the namespace as bytes, for ordinary code.
   *
   * @throws UnsupportedOperationException if the format has metadata that only the caller could provide
   */
  public NvmeChannel openChannel() {
    return new NvmeChannel(this);
  }

  // Protection information, for those who provide it themselves.

  /**
   * Make the protection information of blocks into their metadata.
   *
   * @param data the blocks, one behind the other
   * @param metadata {@link #metadataSize} bytes for each
   * @throws IllegalStateException if the namespace is not protected
   */
  public void protect(long lba, MemorySegment data, MemorySegment metadata, int applicationTag) {
    ProtectionFormat with = requireProtection();
    long count = data.byteSize() / blockSize();
    for (long i = 0; i < count; i++) {
      ProtectionInformation.generate(
          with, data, i * blockSize(), metadata, i * metadataSize(), applicationTag, with.referenceTag(with.referenceTagOf(lba), i));
    }
  }

  /**
   * Check the protection information of blocks: guard, and reference tag for types 1 and 2.
   *
   * @return the index of the first block that does not match, or -1
   */
  public long findUnprotected(long lba, MemorySegment data, MemorySegment metadata) {
    ProtectionFormat with = requireProtection();
    long count = data.byteSize() / blockSize();
    for (long i = 0; i < count; i++) {
      int failed =
          ProtectionInformation.verify(
              with,
              data,
              i * blockSize(),
              metadata,
              i * metadataSize(),
              defaultChecks(),
              0,
              0,
              with.referenceTag(with.referenceTagOf(lba), i));
      if (failed != 0) {
        return i;
      }
    }
    return -1;
  }

  private ProtectionFormat requireProtection() {
    ProtectionFormat with = protection;
    if (with == null) {
      throw new IllegalStateException(core.name() + ": namespace " + id + " is not protected");
    }
    return with;
  }

  // What queues and requests ask.

  void requireBlocks(NvmeOperation operation, long lba, long count) {
    if (operation != NvmeOperation.FLUSH && (lba < 0 || count <= 0 || lba > blocks() - count)) {
      throw new IllegalArgumentException(
          core.name()
              + ": "
              + count
              + " blocks from 0x"
              + Long.toHexString(lba)
              + " are not within the 0x"
              + Long.toHexString(blocks())
              + " blocks of namespace "
              + id);
    }
  }

  /** Refuse what the controller or the format cannot do. */
  void requireSupported(NvmeBio bio, ControllerCore by) {
    if (by != core) {
      throw new IllegalArgumentException(by.name() + ": the request is for a namespace of " + core.name());
    }
    if (!core.facts().supports(bio.operation())) {
      throw NvmeException.ofController(
          core.name(), NvmeErrorKind.NOT_SUPPORTED, "the controller has no command for " + bio.operation());
    }
    if (bio.metadata() != null) {
      if (metadataSize() == 0 || isExtended()) {
        throw new IllegalArgumentException(
            core.name() + ": namespace " + id + " has no metadata in memory of its own; give the request none");
      }
    } else if (bio.operation().movesData() && metadataSize() != 0 && !isExtended() && !controllerProtects(bio)) {
      throw new IllegalArgumentException(
          core.name() + ": blocks of namespace " + id + " have " + metadataSize() + " bytes of metadata: give the request memory for it");
    }
  }

  /** Return the bytes that one block takes in the data memory of a request. */
  long bytesPerBlock(NvmeBio bio) {
    return format.extended() && !controllerProtects(bio) ? extendedSize() : blockSize();
  }

  /** Tell whether the controller inserts and strips the protection information of a request. */
  boolean controllerProtects(NvmeBio bio) {
    return controllerProtectable
        && bio.metadata() == null
        && !bio.isInterleaved()
        && bio.operation() != NvmeOperation.COMPARE
        && bio.operation() != NvmeOperation.VERIFY;
  }

  boolean isProtected() {
    return protection != null;
  }

  int defaultChecks() {
    return protection != null && protection.type() == 3
        ? NvmeBio.CHECK_GUARD
        : NvmeBio.CHECK_GUARD | NvmeBio.CHECK_REFERENCE;
  }

  long referenceTag(long initial, long index) {
    return protection == null ? 0 : protection.referenceTag(initial, index);
  }

  /**
   * Return the most blocks of one command.
   *
   * @param maxBytes the most bytes that it moves
   * @throws IllegalArgumentException if that is less than a block
   */
  long maxBlocks(NvmeOperation operation, long bytesPerBlock, long maxBytes) {
    return switch (operation) {
      case READ, WRITE, COMPARE -> Math.min(blocksMoved(operation, bytesPerBlock, maxBytes), ReadWriteCommandLayout.MAX_BLOCKS);
      case WRITE_ZEROES -> wholeBlocksOf(core.limits().writeZeroesBytes(), bytesPerBlock);
      case VERIFY -> wholeBlocksOf(core.limits().verifyBytes(), bytesPerBlock);
      case TRIM -> Math.min(core.limits().trimRanges() * core.limits().trimRangeBlocks(), core.limits().trimBlocks());
      case FLUSH -> 0;
    };
  }

  private long blocksMoved(NvmeOperation operation, long bytesPerBlock, long maxBytes) {
    if (maxBytes < bytesPerBlock) {
      throw new IllegalArgumentException(
          "%s: %s of namespace %d, which has blocks of %d bytes, and one command may move %d at the most; set max-transfer to a block or more, or to 0 if it is the controller that moves no more"
              .formatted(core.name(), operation, id, bytesPerBlock, maxBytes));
    }
    return maxBytes / bytesPerBlock;
  }

  private static long wholeBlocksOf(long limit, long bytesPerBlock) {
    return Math.clamp(limit / bytesPerBlock, 1, ReadWriteCommandLayout.MAX_BLOCKS);
  }

  long maxTrimRangeBlocks() {
    return core.limits().trimRangeBlocks();
  }

  NvmeException failed(NvmeOperation operation, long lba, long count, int status) {
    return NvmeException.ofRequest(core.name(), operation, id, lba, count, status);
  }

  IllegalArgumentException indescribable(NvmeBio bio, long firstBlock, TransferRules rules) {
    return new IllegalArgumentException(
        core.name()
            + ": "
            + bio.operation()
            + " of namespace "
            + id
            + ", block 0x"
            + Long.toHexString(bio.lba() + firstBlock)
            + ": the memory's edges fit neither pages of "
            + (rules.pageMask() + 1)
            + " bytes nor the controller's SGLs ("
            + rules.sgl()
            + "); align them to pages or to blocks");
  }

  IllegalArgumentException mixed(NvmeBio bio, long firstBlock, String what) {
    return new IllegalArgumentException(
        "%s: %s of namespace %d, block 0x%x: %s lies in the controller's memory buffer in part, and the controller does not mix that with other memory in one command (CMBLOC.CDMMMS is 0); keep it together"
            .formatted(core.name(), bio.operation(), id, bio.lba() + firstBlock, what));
  }

  IllegalArgumentException tooShort(NvmeBio bio, long upTo) {
    return new IllegalArgumentException(
        core.name()
            + ": "
            + bio.operation()
            + " of namespace "
            + id
            + ": the data or metadata is shorter than "
            + upTo
            + " blocks take ("
            + bytesPerBlock(bio)
            + " and "
            + metadataSize()
            + " bytes each)");
  }

  private int extendedSize() {
    return blockSize() + metadataSize();
  }

  private long wholeBlocks(long bytes) {
    long perBlock = dataBytes(1);
    if (bytes == 0 || bytes % perBlock != 0) {
      throw new IllegalArgumentException(
          core.name() + ": " + bytes + " bytes are not a whole number of blocks of " + perBlock + " bytes on namespace " + id);
    }
    return bytes / perBlock;
  }

  private void move(NvmeOperation operation, long lba, MemorySegment segment) {
    long count = wholeBlocks(segment.byteSize());
    requireBlocks(operation, lba, count);
    if (operation == NvmeOperation.READ && segment.isReadOnly()) {
      throw new IllegalArgumentException(
          core.name() + ": " + count + " blocks from 0x" + Long.toHexString(lba) + " of namespace " + id + " cannot be read into a read-only segment");
    }
    SegmentRanges ranges = new SegmentRanges(controller.memory(), segment);
    if (ranges.isMachineMemory()) {
      run(new NvmeBio().set(operation, this, lba, count, ranges));
    } else {
      new StagedMove(this, operation).move(lba, Objects.requireNonNull(segment));
    }
  }
}
