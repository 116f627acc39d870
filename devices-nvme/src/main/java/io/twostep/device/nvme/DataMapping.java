package io.twostep.device.nvme;

import io.twostep.device.nvme.host.BuildFailure;
import io.twostep.device.nvme.host.ListPages;
import io.twostep.device.nvme.host.PrpBuilder;
import io.twostep.device.nvme.host.SglBuilder;
import io.twostep.device.nvme.host.TransferFormat;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaSink;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.PhysRanges;
import java.lang.foreign.MemorySegment;

/** Maps the data of one command: looks it over, chooses PRPs or an SGL, and lets the mapping write its DMA ranges straight into the descriptors. */
final class DataMapping implements AutoCloseable {
  private final TransferRules rules;
  private final BioScan scan;
  private final RequestMapping mapping;
  private final PrpBuilder prp;
  private final SglBuilder sgl;
  private final DmaSink prpSink;
  private final DmaSink sglSink;
  private final BioSlice slice = new BioSlice();
  private long bytes;
  private boolean mayMerge;
  private boolean splitsBlock;
  private boolean mapped;
  private long entries;
  private BuildFailure failure = BuildFailure.NONE;

  /**
   * Create an idle mapping.
   *
   * @param scan scratch of the queue; holds nothing between calls
   */
  DataMapping(ControllerCore core, TransferRules rules, ListPages lists, BioScan scan) {
    this.rules = rules;
    this.scan = scan;
    mapping = core.config().requestMapper().newMapping(core.mapper(), rules.maxBytes());
    prp = new PrpBuilder(lists, rules.maxBytes());
    sgl = new SglBuilder(lists, rules.maxDescriptors(), rules.sgl().dwordAligned());
    prpSink = OwnBufferSink.of(prp, core);
    sglSink = OwnBufferSink.of(sgl, core);
  }

  /**
   * Look over the data of some blocks; returns how many of the blocks one command can carry, -1 if the source has not that many bytes.
   *
   * @param mayMerge whether to count on ranges becoming one behind an IOMMU
   */
  long plan(PhysRanges source, long firstBlock, long blocks, long perBlock, boolean mayMerge) {
    this.mayMerge = mayMerge;
    splitsBlock = false;
    long start = firstBlock * perBlock;
    bytes = blocks * perBlock;
    slice.set(source, start, bytes);
    long cut = scan.scan(slice, bytes, rules, mayMerge);
    if (cut == bytes) {
      return blocks;
    }
    if (scan.isEnded()) {
      return -1;
    }
    long fitting = cut / perBlock;
    splitsBlock = fitting == 0 && scan.isAtBorder();
    bytes = fitting * perBlock;
    slice.set(source, start, bytes);
    scan.scan(slice, bytes, rules, mayMerge);
    return fitting;
  }

  /** Map what was planned and store the data pointer in the command at {@code base}; false if it is refused. */
  boolean tryMap(DmaDirection direction, int metadataRanges, MemorySegment sqes, long base) {
    failure = BuildFailure.NONE;
    TransferFormat format = rules.choose(scan, bytes, metadataRanges, mayMerge);
    return switch (format) {
      case PRP -> tryMapPrp(direction, sqes, base);
      case SGL -> tryMapSgl(direction, sqes, base);
      case NEITHER -> false;
    };
  }

  private boolean tryMapPrp(DmaDirection direction, MemorySegment sqes, long base) {
    prp.begin(bytes);
    if (tryMap(direction, prpSink) && prp.finish(sqes, base)) {
      return true;
    }
    failure = prp.failure();
    return false;
  }

  private boolean tryMapSgl(DmaDirection direction, MemorySegment sqes, long base) {
    sgl.begin(bytes, mayMerge && rules.merges(scan.ranges(), scan.gapMask()) ? 1 : scan.ranges());
    if (tryMap(direction, sglSink) && sgl.finish(sqes, base)) {
      return true;
    }
    failure = sgl.failure();
    return false;
  }

  private boolean tryMap(DmaDirection direction, DmaSink sink) {
    entries =
        scan.ranges() == 1
            ? mapping.mapSingle(slice, scan.first(), bytes, direction, DmaAttributes.NONE, sink)
            : mapping.map(slice, direction, DmaAttributes.NONE, sink);
    mapped = entries >= 0;
    return mapped;
  }

  /** Tell whether the first block planned lies in the controller's own memory in part, which cannot be described. */
  boolean splitsBlock() {
    return splitsBlock;
  }

  /** Tell whether what was planned lies in the controller's own memory, which may not be mixed with other memory. */
  boolean isApart() {
    return scan.isApart();
  }

  boolean lacksMemory() {
    return failure == BuildFailure.NO_LIST_MEMORY;
  }

  long bytes() {
    return bytes;
  }

  long entries() {
    return mapped ? entries : 0;
  }

  int listPieces() {
    return prp.listPieces() + sgl.listPieces();
  }

  /** Unmap, if mapped, and give list memory back. */
  void release(InvalidationBatch batch) {
    prp.release();
    sgl.release();
    slice.clear();
    failure = BuildFailure.NONE;
    if (mapped) {
      mapped = false;
      mapping.unmap(batch);
    }
  }

  @Override
  public void close() {
    mapping.close();
  }
}
