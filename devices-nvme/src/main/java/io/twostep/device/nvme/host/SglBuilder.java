package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.SglDescriptorLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.DmaSink;
import java.lang.foreign.MemorySegment;

/**
 * Write the bus ranges of one request as a scatter gather list (Base 4.1.2).
 *
 * <p>{@link #begin}, then {@link #accept} for every range in order, then {@link #finish}; {@link #release} when the command is over. A
 * refusal gives all list memory back and says why in {@link #failure}. One instance per request in flight, reused; allocates nothing.
 *
 * <p>One range is a descriptor in the command. More go to segments of one list page each; a full segment gives its last slot to the link
 * to the next. Ranges longer than a descriptor can say are cut.
 */
public final class SglBuilder implements DmaSink {
  /** Where a range longer than 32 bits is cut: the longest multiple of 4 KiB that fits. */
  private static final long CUT = SglDescriptorLayout.MAX_LENGTH & ~0xfffL;

  private static final int LINK_SLOT = 1;

  private final ListChain chain;
  private final int slotsPerPage;
  private final boolean dwordAligned;

  private long length;
  private long accepted;
  private boolean small;
  private long descriptors;
  private long firstAddress;
  private long firstLength;
  private BuildFailure failure = BuildFailure.NONE;

  private MemorySegment list = MemorySegment.NULL;
  private long listOffset;
  private int slotsUsed;
  private int slots;
  private long headAddress;
  private long headLength;
  private int headType;

  // Where the pointer to the current segment goes once its length is known: the first segment's goes into the command.
  private boolean linkInCommand;
  private MemorySegment link = MemorySegment.NULL;
  private long linkOffset;

  /**
   * Create a builder for requests of up to {@code maxRanges} descriptors.
   *
   * @param dwordAligned whether the controller wants addresses and lengths in multiples of four
   */
  public SglBuilder(ListPages pages, int maxRanges, boolean dwordAligned) {
    slotsPerPage = pages.pageSize() / SglDescriptorLayout.SIZE;
    this.dwordAligned = dwordAligned;
    chain = new ListChain(pages, maxRanges <= slotsPerPage ? 1 : (maxRanges - 2) / (slotsPerPage - LINK_SLOT) + 1);
  }

  /**
   * Start a request of exactly {@code length} bytes.
   *
   * @param expectedRanges most ranges that will come, where it is known: few take a small piece of list memory
   * @throws IllegalStateException if the last request still holds list memory
   */
  public void begin(long length, int expectedRanges) {
    if (chain.count() != 0) {
      throw new IllegalStateException("the list of the last request was not released");
    }
    if (length < 0) {
      throw new IllegalArgumentException("request of " + length + " bytes");
    }
    this.length = length;
    accepted = 0;
    descriptors = 0;
    firstAddress = 0;
    firstLength = 0;
    small = expectedRanges <= ListPages.SMALL / SglDescriptorLayout.SIZE;
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
    accepted += rangeLength;
    long address = dmaAddress;
    long left = rangeLength;
    while (left > SglDescriptorLayout.MAX_LENGTH) {
      if (!add(address, CUT)) {
        return false;
      }
      address += CUT;
      left -= CUT;
    }
    return add(address, left);
  }

  /**
   * Store the descriptor into the command at {@code base} and mark the command as one with an SGL and a flat metadata buffer.
   *
   * @return false if a range was refused or the ranges do not add up to the request; the command is then unchanged
   */
  public boolean finish(MemorySegment sqe, long base) {
    if (failure != BuildFailure.NONE) {
      return false;
    }
    if (accepted != length) {
      return refuse(BuildFailure.TOO_SHORT);
    }
    if (descriptors <= 1) {
      setHead(firstAddress, firstLength, SglDescriptorLayout.TYPE_DATA_BLOCK);
    } else {
      pointAtSegment(chain.lastDmaAddress(), SglDescriptorLayout.TYPE_LAST_SEGMENT);
    }
    SglDescriptorLayout.set(sqe, base + SqeLayout.SGL1, headAddress, headLength, headType);
    SqeLayout.FLAGS.set(sqe, base, SqeLayout.PSDT.with(SqeLayout.FLAGS.get(sqe, base), SqeLayout.PSDT_SGL));
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

  /** Return how many pieces of list memory the request holds. */
  public int listPieces() {
    return chain.count();
  }

  private boolean add(long address, long bytes) {
    if (descriptors == 0) {
      firstAddress = address;
      firstLength = bytes;
      descriptors = 1;
      return true;
    }
    if (descriptors == 1 && !openFirstSegment()) {
      return false;
    }
    if (slotsUsed == slots && !openNextSegment()) {
      return false;
    }
    put(address, bytes);
    descriptors++;
    return true;
  }

  private void put(long address, long bytes) {
    long slot = listOffset + (long) slotsUsed * SglDescriptorLayout.SIZE;
    SglDescriptorLayout.set(list, slot, address, bytes, SglDescriptorLayout.TYPE_DATA_BLOCK);
    slotsUsed++;
  }

  private boolean openFirstSegment() {
    if (!chain.tryExtend(small)) {
      return refuse(BuildFailure.NO_LIST_MEMORY);
    }
    list = chain.lastSegment();
    listOffset = chain.lastOffset();
    slots = small ? ListPages.SMALL / SglDescriptorLayout.SIZE : slotsPerPage;
    slotsUsed = 0;
    linkInCommand = true;
    put(firstAddress, firstLength);
    return true;
  }

  /** Move the last descriptor of the full segment to a new one, and keep its slot for the link. */
  private boolean openNextSegment() {
    if (chain.isFull()) {
      return refuse(BuildFailure.TOO_MANY);
    }
    long segmentAddress = chain.lastDmaAddress();
    if (!chain.tryExtend(false)) {
      return refuse(BuildFailure.NO_LIST_MEMORY);
    }
    long last = listOffset + (slotsUsed - 1L) * SglDescriptorLayout.SIZE;
    long movedAddress = SglDescriptorLayout.ADDRESS.get(list, last);
    long movedLength = SglDescriptorLayout.LENGTH.getUnsigned(list, last);
    pointAtSegment(segmentAddress, SglDescriptorLayout.TYPE_SEGMENT);
    linkInCommand = false;
    link = list;
    linkOffset = last;
    list = chain.lastSegment();
    listOffset = chain.lastOffset();
    slots = slotsPerPage;
    slotsUsed = 0;
    put(movedAddress, movedLength);
    return true;
  }

  private void pointAtSegment(long address, int type) {
    long bytes = (long) slotsUsed * SglDescriptorLayout.SIZE;
    if (linkInCommand) {
      setHead(address, bytes, type);
    } else {
      SglDescriptorLayout.set(link, linkOffset, address, bytes, type);
    }
  }

  private void setHead(long address, long bytes, int type) {
    headAddress = address;
    headLength = bytes;
    headType = type;
  }

  private boolean refuse(BuildFailure why) {
    failure = why;
    chain.release();
    return false;
  }
}
