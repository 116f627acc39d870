package io.twostep.device.nvme;

import io.twostep.device.nvme.host.CoherentListPages;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.Closing;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * What belongs to one command tag: the part of a bio that the command carries, its mappings and its descriptors. Made once, reused for every
 * command with the tag; used under the queue's guard.
 *
 * <p>Everything the controller may touch for the command is held from {@link #tryOpen} until {@link #release}, which is called when its completion has come
 * or the controller is stopped, and at no other time.
 */
final class IoRequest implements AutoCloseable {
  final int tag;

  // The queue's: when the command is late, 0 until a check has seen it; whether it was aborted; how often and when it is tried again.
  long deadline;
  boolean aborted;
  int retries;
  long retryAt;
  @Nullable IoRequest next;

  private final ControllerCore core;
  private final TransferRules rules;
  private final CoherentListPages lists;
  private final DataMapping data;
  private final TrimList trim;
  private @Nullable MetadataMapping metadata;

  private @Nullable NvmeBio bio;
  private long firstBlock;
  private long blocks;

  /** The most blocks of a range of a trim, as the part was cut for: after a reset the controller may take other ones, and is to say so. */
  private long trimRangeBlocks;

  private long entries;
  private int listPieces;
  private @Nullable DmaMappingException shortage;

  IoRequest(int tag, ControllerCore core, TransferRules rules, CoherentListPages lists, BioScan scan) {
    this.tag = tag;
    this.core = core;
    this.rules = rules;
    this.lists = lists;
    data = new DataMapping(core, rules, lists, scan);
    trim = new TrimList(lists);
  }

  /**
   * Take the next part of a bio: as many blocks as one command can carry. Maps them and writes the command, without its id, at {@code base}.
   *
   * @return false if memory for it is short just now: see {@link #shortage}; nothing is held then
   * @throws IllegalArgumentException if no command of this controller can describe the bio's memory
   */
  boolean tryOpen(NvmeBio of, InvalidationBatch batch, MemorySegment sqes, long base) {
    firstBlock = of.issuedBlocks;
    NvmeNamespace namespace = of.target();
    blocks =
        Math.min(
            of.blocks() - firstBlock, namespace.maxBlocks(of.operation(), namespace.bytesPerBlock(of), rules.maxBytes()));
    trimRangeBlocks = namespace.maxTrimRangeBlocks();
    if (!tryMap(of, batch, sqes, base, true)) {
      return false;
    }
    bio = of;
    retries = 0;
    return true;
  }

  /** Map the same part once more and write its command at {@code base}, to try it again; as {@link #tryOpen}, but the part stays as it is. */
  boolean tryReopen(InvalidationBatch batch, MemorySegment sqes, long base) {
    return tryMap(bio(), batch, sqes, base, false);
  }

  private boolean tryMap(NvmeBio of, InvalidationBatch batch, MemorySegment sqes, long base, boolean mayShrink) {
    deadline = 0;
    aborted = false;
    shortage = null;
    boolean mapped = false;
    SqeLayout.OPCODE.set(sqes, base, of.operation().opcode());
    SqeLayout.FLAGS.set(sqes, base, 0);
    SqeLayout.MPTR.set(sqes, base, 0);
    try {
      mapped = mapMemory(of, batch, sqes, base, mayShrink);
    } catch (DmaMappingException e) {
      if (!e.isRetryable()) {
        throw e;
      }
      shortage = e;
    } finally {
      if (!mapped) {
        releaseMemory(batch);
      }
    }
    if (mapped) {
      count();
    }
    return mapped;
  }

  private boolean mapMemory(NvmeBio of, InvalidationBatch batch, MemorySegment sqes, long base, boolean mayShrink) {
    if (of.operation().movesData()) {
      if (!mapData(of, batch, sqes, base, mayShrink)) {
        return false;
      }
      CommandWriter.write(sqes, base, of, firstBlock, blocks);
      return true;
    }
    SqeLayout.PRP1.set(sqes, base, 0);
    SqeLayout.PRP2.set(sqes, base, 0);
    CommandWriter.write(sqes, base, of, firstBlock, blocks);
    if (of.operation() != NvmeOperation.TRIM) {
      return true;
    }
    if (!trim.tryWrite(of.lba() + firstBlock, blocks, trimRangeBlocks)) {
      return false;
    }
    trim.store(sqes, base, blocks, trimRangeBlocks);
    return true;
  }

  private boolean mapData(NvmeBio of, InvalidationBatch batch, MemorySegment sqes, long base, boolean mayShrink) {
    if (mapDataOnce(of, sqes, base, mayShrink, true)) {
      return true;
    }
    if (lacksMemory()) {
      return false;
    }
    // The ranges did not become what the scan hoped for, say because peer memory lies among them: count on nothing.
    releaseMemory(batch);
    if (mapDataOnce(of, sqes, base, mayShrink, false)) {
      return true;
    }
    if (lacksMemory()) {
      return false;
    }
    throw splitsBlock() ? of.target().mixed(of, firstBlock, "a block") : of.target().indescribable(of, firstBlock, rules);
  }

  private boolean mapDataOnce(NvmeBio of, MemorySegment sqes, long base, boolean mayShrink, boolean mayMerge) {
    long perBlock = of.target().bytesPerBlock(of);
    PhysRanges ownMetadata = of.metadata();
    long wanted = blocks;
    long fitting = wanted;
    if (ownMetadata != null) {
      fitting = requireLong(of, metadata().plan(ownMetadata, firstBlock, fitting, of.target().metadataSize()));
    }
    PhysRanges source = of.data();
    if (source == null || fitting == 0) {
      return false;
    }
    fitting = requireLong(of, data.plan(source, firstBlock, fitting, perBlock, mayMerge));
    if (fitting == 0 || (fitting != wanted && !mayShrink)) {
      return false;
    }
    blocks = fitting;
    if (ownMetadata == null) {
      return data.tryMap(of.operation().direction(), 0, sqes, base);
    }
    MetadataMapping separate = metadata();
    separate.plan(ownMetadata, firstBlock, fitting, of.target().metadataSize());
    if (data.isApart() != separate.isApart()) {
      throw of.target().mixed(of, firstBlock, "a block and its metadata");
    }
    return data.tryMap(of.operation().direction(), separate.ranges(), sqes, base)
        && separate.tryMap(of.operation().direction(), sqes, base);
  }

  private long requireLong(NvmeBio of, long fitting) {
    if (fitting < 0) {
      throw of.target().tooShort(of, firstBlock + blocks);
    }
    return fitting;
  }

  private boolean splitsBlock() {
    MetadataMapping separate = metadata;
    return data.splitsBlock() || (separate != null && separate.splitsBlock());
  }

  private boolean lacksMemory() {
    MetadataMapping separate = metadata;
    return data.lacksMemory() || (separate != null && separate.lacksMemory());
  }

  private MetadataMapping metadata() {
    MetadataMapping separate = metadata;
    if (separate == null) {
      separate = new MetadataMapping(core, rules, lists);
      metadata = separate;
    }
    return separate;
  }

  private void count() {
    entries = data.entries();
    listPieces = data.listPieces() + (trim.isHeld() ? 1 : 0);
    MetadataMapping separate = metadata;
    if (separate != null) {
      entries += separate.entries();
      listPieces += separate.listPieces();
    }
  }

  /** Unmap with {@code batch} and give list memory back; the part stays. */
  void release(InvalidationBatch batch) {
    releaseMemory(batch);
  }

  private void releaseMemory(InvalidationBatch batch) {
    trim.release();
    MetadataMapping separate = metadata;
    if (separate != null) {
      separate.release(batch);
    }
    data.release(batch);
  }

  /** Forget the part. */
  void clear() {
    bio = null;
  }

  NvmeBio bio() {
    NvmeBio of = bio;
    if (of == null) {
      throw new IllegalStateException("tag " + tag + " carries nothing");
    }
    return of;
  }

  long blocks() {
    return blocks;
  }

  /** Return the data bytes of the part; 0 for one without data. */
  long bytes() {
    return bio().operation().movesData() ? data.bytes() : 0;
  }

  long entries() {
    return entries;
  }

  int listPieces() {
    return listPieces;
  }

  /** Return what was short when the part could not be opened; null for list memory. */
  @Nullable DmaMappingException shortage() {
    return shortage;
  }

  @Override
  public void close() {
    Closing closing = new Closing().then(data::close);
    MetadataMapping separate = metadata;
    if (separate != null) {
      closing.then(separate::close);
    }
    closing.end();
  }
}
