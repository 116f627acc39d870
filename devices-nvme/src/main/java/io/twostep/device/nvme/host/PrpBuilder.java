package io.twostep.device.nvme.host;

import io.twostep.device.nvme.wire.PrpLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.DmaSink;
import java.lang.foreign.MemorySegment;

/**
 * Write the bus ranges of one request as physical region pages (Base 4.1.1).
 *
 * <p>{@link #begin}, then {@link #accept} for every range in order, then {@link #finish}; {@link #release} when the command is over. A
 * refusal gives all list memory back and says why in {@link #failure}. One instance per request in flight, reused; allocates nothing.
 *
 * <p>Every range but the first begins on a page, every range but the last ends on one, unless it touches its neighbour. A list gets a
 * link only if more entries remain than its page has slots, so 512 entries need one page of 4,096 bytes and 513 need two.
 */
public final class PrpBuilder implements DmaSink {
  private final ListChain chain;
  private final int pageSize;
  private final long pageMask;
  private final int slotsPerPage;
  private final long maxLength;

  private long length;
  private long accepted;
  private long first;
  private long second;
  private long end;
  private long entriesLeft;
  private BuildFailure failure = BuildFailure.NONE;

  private MemorySegment list = MemorySegment.NULL;
  private long slot;
  private int slotsLeft;

  /**
   * Create a builder for requests of up to {@code maxLength} bytes in pages of {@link ListPages#pageSize}.
   *
   * @throws IllegalArgumentException if the list of such a request could not be counted
   */
  public PrpBuilder(ListPages pages, long maxLength) {
    pageSize = pages.pageSize();
    pageMask = pageSize - 1L;
    slotsPerPage = PrpLayout.entriesPerPage(pageSize);
    if (maxLength < 0 || maxLength > (long) pageSize * Integer.MAX_VALUE / 2) {
      throw new IllegalArgumentException("cannot describe requests of up to " + maxLength + " bytes by page lists");
    }
    this.maxLength = maxLength;
    chain = new ListChain(pages, listPages(maxLength / pageSize + 1));
  }

  /** Return how many list pages hold {@code entries} entries: each page but the last gives one slot to the link. */
  private int listPages(long entries) {
    return entries <= slotsPerPage ? 1 : (int) ((entries - 2) / (slotsPerPage - 1)) + 1;
  }

  /**
   * Start a request of exactly {@code length} bytes; 0 for a command without data.
   *
   * @throws IllegalStateException if the last request still holds list memory
   * @throws IllegalArgumentException if the request is longer than the builder was made for
   */
  public void begin(long length) {
    if (chain.count() != 0) {
      throw new IllegalStateException("the list of the last request was not released");
    }
    if (length < 0 || length > maxLength) {
      throw new IllegalArgumentException("request of " + length + " bytes; this builder takes up to " + maxLength);
    }
    this.length = length;
    accepted = 0;
    first = 0;
    second = 0;
    end = 0;
    entriesLeft = 0;
    slotsLeft = 0;
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
    long untilPage;
    if (accepted == 0) {
      if ((dmaAddress & PrpLayout.DATA_ALIGNMENT_MASK) != 0) {
        return refuse(BuildFailure.MISALIGNED);
      }
      first = dmaAddress;
      untilPage = pageSize - (dmaAddress & pageMask);
      entriesLeft = length <= untilPage ? 0 : (length - untilPage + pageMask) / pageSize;
    } else {
      if (!GapMask.permits(GapMask.edge(end, dmaAddress), pageMask)) {
        return refuse(BuildFailure.MISALIGNED);
      }
      untilPage = -dmaAddress & pageMask;
    }
    accepted += rangeLength;
    end = dmaAddress + rangeLength;
    return rangeLength <= untilPage || addPages(dmaAddress + untilPage, (rangeLength - untilPage + pageMask) / pageSize);
  }

  /**
   * Store the pointers into the command at {@code base}; clears what is not used, so that nothing of an older command shows.
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
    SqeLayout.PRP1.set(sqe, base, first);
    SqeLayout.PRP2.set(sqe, base, second);
    SqeLayout.FLAGS.set(sqe, base, SqeLayout.PSDT.with(SqeLayout.FLAGS.get(sqe, base), SqeLayout.PSDT_PRP));
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

  private boolean addPages(long firstPage, long count) {
    if (second == 0 && entriesLeft == 1) {
      second = firstPage;
      entriesLeft = 0;
      return true;
    }
    long page = firstPage;
    long left = count;
    while (left > 0) {
      if (slotsLeft == 0 && !nextList()) {
        return refuse(BuildFailure.NO_LIST_MEMORY);
      }
      int run = (int) Math.min(left, slotsLeft);
      for (int i = 0; i < run; i++) {
        PrpLayout.ENTRY.set(list, slot, page);
        slot += PrpLayout.ENTRY_SIZE;
        page += pageSize;
      }
      slotsLeft -= run;
      entriesLeft -= run;
      left -= run;
    }
    return true;
  }

  /** Take the next list piece and point at it from PRP2 or from the slot kept free for the link. */
  private boolean nextList() {
    boolean isFirst = chain.count() == 0;
    boolean small = isFirst && entriesLeft <= ListPages.SMALL / PrpLayout.ENTRY_SIZE;
    if (!chain.tryExtend(small)) {
      return false;
    }
    if (isFirst) {
      second = chain.lastDmaAddress();
    } else {
      PrpLayout.ENTRY.set(list, slot, chain.lastDmaAddress());
    }
    list = chain.lastSegment();
    slot = chain.lastOffset();
    slotsLeft = (int) (entriesLeft <= slotsPerPage ? entriesLeft : slotsPerPage - 1);
    return true;
  }

  private boolean refuse(BuildFailure why) {
    failure = why;
    chain.release();
    return false;
  }
}
