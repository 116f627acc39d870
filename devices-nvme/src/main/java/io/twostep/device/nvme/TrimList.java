package io.twostep.device.nvme;

import io.twostep.device.nvme.host.ListPages;
import io.twostep.device.nvme.wire.DsmCommandLayout;
import io.twostep.device.nvme.wire.DsmRangeLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import java.lang.foreign.MemorySegment;

/**
 * The ranges of one dataset management command, in a page of list memory. Always a whole page: several controllers read all of it whatever the count
 * says.
 */
final class TrimList {
  private final ListPages lists;
  private long page = ListPages.NONE;

  TrimList(ListPages lists) {
    this.lists = lists;
  }

  /** Write the ranges and point the command at them; false if there is no list memory now. */
  boolean tryWrite(long lba, long blocks, long maxRangeBlocks) {
    page = lists.allocate(false);
    if (page == ListPages.NONE) {
      return false;
    }
    MemorySegment segment = lists.segment(page);
    long at = lists.offset(page);
    long left = blocks;
    for (int i = 0; i < DsmRangeLayout.MAX_RANGES; i++) {
      long count = Math.min(left, maxRangeBlocks);
      DsmRangeLayout.ATTRIBUTES.set(segment, at, 0);
      DsmRangeLayout.NLB.set(segment, at, (int) count);
      DsmRangeLayout.SLBA.set(segment, at, count == 0 ? 0 : lba + (blocks - left));
      left -= count;
      at += DsmRangeLayout.SIZE;
    }
    return true;
  }

  /** Store pointer, count and attribute in the command at {@code base}. */
  void store(MemorySegment sqes, long base, long blocks, long maxRangeBlocks) {
    SqeLayout.PRP1.set(sqes, base, lists.dmaAddress(page));
    SqeLayout.PRP2.set(sqes, base, 0);
    DsmCommandLayout.NUMBER_OF_RANGES.set(sqes, base, (int) ((blocks - 1) / maxRangeBlocks));
    DsmCommandLayout.ATTRIBUTES.set(sqes, base, DsmCommandLayout.DEALLOCATE.with(0, 1));
  }

  boolean isHeld() {
    return page != ListPages.NONE;
  }

  /** Give the page back, if held. */
  void release() {
    if (page != ListPages.NONE) {
      long token = page;
      page = ListPages.NONE;
      lists.free(token);
    }
  }
}
