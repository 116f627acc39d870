package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.SglDescriptorLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.DmaSink;
import java.lang.foreign.MemorySegment;

/**
 * Write the bus ranges of one request's metadata as the SGL that MPTR points at (Base 4.1.2.1).
 *
 * <p>Only for a command whose data is an SGL too, for one field of the command says both. One small piece of list memory: slot 0 is the
 * data descriptor, or with more ranges the last segment descriptor of the slots behind it. Reused; allocates nothing; one thread at a
 * time.
 */
public final class MetadataSglBuilder implements DmaSink {
  /** Most ranges: a small piece less its head. */
  public static final int MAX_RANGES = ListPages.SMALL / SglDescriptorLayout.SIZE - 1;

  private final ListChain chain;
  private final boolean dwordAligned;

  private long length;
  private long accepted;
  private int ranges;
  private BuildFailure failure = BuildFailure.NONE;

  /**
   * Create a builder.
   *
   * @param dwordAligned whether the controller wants addresses and lengths in multiples of four
   */
  public MetadataSglBuilder(ListPages pages, boolean dwordAligned) {
    this.dwordAligned = dwordAligned;
    chain = new ListChain(pages, 1);
  }

  /**
   * Start metadata of exactly {@code length} bytes.
   *
   * @throws IllegalStateException if the last request still holds list memory
   */
  public void begin(long length) {
    if (chain.count() != 0) {
      throw new IllegalStateException("the list of the last request was not released");
    }
    if (length <= 0 || length > SglDescriptorLayout.MAX_LENGTH) {
      throw new IllegalArgumentException("metadata of " + length + " bytes");
    }
    this.length = length;
    accepted = 0;
    ranges = 0;
    failure = BuildFailure.NONE;
  }

  /** Take the next range, of any kind; false if it is refused, and then everything after it is refused too. */
  @Override
  public boolean accept(long dmaAddress, long rangeLength, int kind) {
    if (failure != BuildFailure.NONE) {
      return false;
    }
    if (rangeLength <= 0 || dmaAddress == 0 || Long.compareUnsigned(rangeLength - 1, ~dmaAddress) > 0) {
      return refuse(BuildFailure.BAD_RANGE);
    }
    if (rangeLength > length - accepted) {
      return refuse(BuildFailure.TOO_LONG);
    }
    if (dwordAligned && ((dmaAddress | rangeLength) & 3) != 0) {
      return refuse(BuildFailure.MISALIGNED);
    }
    if (ranges == MAX_RANGES) {
      return refuse(BuildFailure.TOO_MANY);
    }
    if (ranges == 0 && !chain.tryExtend(true)) {
      return refuse(BuildFailure.NO_LIST_MEMORY);
    }
    ranges++;
    accepted += rangeLength;
    SglDescriptorLayout.set(
        chain.lastSegment(), slot(ranges), dmaAddress, rangeLength, SglDescriptorLayout.TYPE_DATA_BLOCK);
    return true;
  }

  /**
   * Store the metadata pointer into the command at {@code base}, whose data pointer is already an SGL.
   *
   * @return false if a range was refused or the ranges do not add up to the metadata; the command is then unchanged
   */
  public boolean finish(MemorySegment sqe, long base) {
    if (failure != BuildFailure.NONE) {
      return false;
    }
    if (accepted != length) {
      return refuse(BuildFailure.TOO_SHORT);
    }
    if (ranges == 1) {
      MemorySegment.copy(chain.lastSegment(), slot(1), chain.lastSegment(), slot(0), SglDescriptorLayout.SIZE);
    } else {
      SglDescriptorLayout.set(
          chain.lastSegment(),
          slot(0),
          chain.lastDmaAddress() + SglDescriptorLayout.SIZE,
          (long) ranges * SglDescriptorLayout.SIZE,
          SglDescriptorLayout.TYPE_LAST_SEGMENT);
    }
    SqeLayout.MPTR.set(sqe, base, chain.lastDmaAddress());
    int flags = SqeLayout.FLAGS.get(sqe, base);
    SqeLayout.FLAGS.set(sqe, base, SqeLayout.PSDT.with(flags, SqeLayout.PSDT_SGL_META_SGL));
    return true;
  }

  /** Give the list memory back; harmless if there is none. */
  public void release() {
    chain.release();
  }

  /** Return why the request was refused. */
  public BuildFailure failure() {
    return failure;
  }

  private long slot(int index) {
    return chain.lastOffset() + (long) index * SglDescriptorLayout.SIZE;
  }

  private boolean refuse(BuildFailure why) {
    failure = why;
    chain.release();
    return false;
  }
}
