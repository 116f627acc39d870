package io.twostep.device.nvme;

import io.twostep.device.nvme.host.BuildFailure;
import io.twostep.device.nvme.host.ListPages;
import io.twostep.device.nvme.host.MetadataSglBuilder;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaSink;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.PhysRanges;
import java.lang.foreign.MemorySegment;

/**
 * Maps the separate metadata of one command: MPTR points at it where it is one range for the controller, else at a list, which the data must then be described
 * by too.
 */
final class MetadataMapping implements AutoCloseable {
  private final TransferRules rules;
  private final DmaTransfer transfer;
  private final MetadataSglBuilder list;
  private final Flat flat = new Flat();
  private final DmaSink flatSink;
  private final DmaSink listSink;
  private final BioSlice slice = new BioSlice();
  private final BioScan scan = new BioScan();
  private long bytes;
  private int perBlock;
  private boolean mapped;
  private long entries;
  private BuildFailure failure = BuildFailure.NONE;

  MetadataMapping(ControllerCore core, TransferRules rules, ListPages lists) {
    this.rules = rules.forMetadata();
    transfer = core.mapper().newTransfer();
    list = new MetadataSglBuilder(lists, rules.sgl().dwordAligned());
    flatSink = OwnBufferSink.of(flat, core);
    listSink = OwnBufferSink.of(list, core);
  }

  /** Look over the metadata of some blocks; returns how many of the blocks one command can carry, -1 if the source has not that many bytes. */
  long plan(PhysRanges source, long firstBlock, long blocks, int perBlock) {
    this.perBlock = perBlock;
    bytes = blocks * perBlock;
    slice.set(source, firstBlock * perBlock, bytes);
    long fitting = scan.scan(slice, bytes, rules, true) / perBlock;
    return scan.isEnded() ? -1 : fitting;
  }

  /** Tell whether the metadata of the first block planned lie in the controller's own memory in part, which cannot be described. */
  boolean splitsBlock() {
    return scan.isAtBorder() && scan.bytes() < perBlock;
  }

  /** Tell whether what was planned lies in the controller's own memory, which may not be mixed with other memory. */
  boolean isApart() {
    return scan.isApart();
  }

  /** Return how many ranges the controller will see. */
  int ranges() {
    return rules.merges(scan.ranges(), scan.gapMask()) ? 1 : scan.ranges();
  }

  /** Map what was planned and store the pointer in the command, whose data pointer is there already; false if it is refused. */
  boolean tryMap(DmaDirection direction, MemorySegment sqes, long base) {
    if (ranges() == 1) {
      flat.begin();
      return tryMap(direction, flatSink) && storeFlat(sqes, base);
    }
    list.begin(bytes);
    if (tryMap(direction, listSink) && list.finish(sqes, base)) {
      return true;
    }
    failure = list.failure();
    return false;
  }

  private boolean tryMap(DmaDirection direction, DmaSink sink) {
    entries = transfer.map(slice, direction, DmaAttributes.NONE, sink);
    mapped = entries >= 0;
    return mapped;
  }

  private boolean storeFlat(MemorySegment sqes, long base) {
    SqeLayout.MPTR.set(sqes, base, flat.dmaAddress);
    return true;
  }

  boolean lacksMemory() {
    return failure == BuildFailure.NO_LIST_MEMORY;
  }

  long entries() {
    return mapped ? entries : 0;
  }

  int listPieces() {
    return mapped && ranges() > 1 ? 1 : 0;
  }

  /** Unmap, if mapped, and give list memory back. */
  void release(InvalidationBatch batch) {
    list.release();
    slice.clear();
    failure = BuildFailure.NONE;
    if (mapped) {
      mapped = false;
      transfer.unmap(batch);
    }
  }

  @Override
  public void close() {
    transfer.close();
  }

  /** Takes the one DMA range that MPTR can point at. */
  private static final class Flat implements DmaSink {
    private long dmaAddress;
    private boolean taken;

    void begin() {
      taken = false;
    }

    @Override
    public boolean accept(long address, long length, int kind) {
      if (taken || (address & 3) != 0) {
        return false;
      }
      taken = true;
      dmaAddress = address;
      return true;
    }
  }
}
