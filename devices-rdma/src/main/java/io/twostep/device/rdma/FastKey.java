package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.MkeyLayout;
import io.twostep.device.rdma.wire.MttLayout;
import io.twostep.dma.DmaBuffer;
import java.lang.foreign.MemorySegment;

/**
 * A key that work requests make valid and invalid again, for memory mapped and unmapped by others: {@link QueuePair#postRegister} and {@link QueuePair#postInvalidate}.
 *
 * <p>Invalid at first. Each registration gives it another low byte, so that who still holds the former one can do nothing with it. One thread at a time, that of its queue pair.
 */
public final class FastKey implements MemoryKey {
  /** Bytes of a page, as a power of two. */
  public static final int LOG_PAGE = 12;

  private static final int VARIANTS = 0xff;

  private final Hca hca;
  private final int maxPages;
  private final DmaBuffer table;
  private int key;
  private boolean closed;

  FastKey(Hca hca, ProtectionDomain domain, int maxPages) {
    this.hca = hca;
    this.maxPages = maxPages;
    table = hca.mapper().allocateCoherent((long) maxPages * MttLayout.SIZE);
    try {
      key = hca.commands().execute(CommandLayout.OP_CREATE_MKEY, input -> fill(input, domain));
    } catch (RuntimeException e) {
      table.close();
      throw e;
    }
  }

  private void fill(MemorySegment input, ProtectionDomain domain) {
    int bits = MkeyLayout.UPDATABLE.with(MkeyLayout.MODE.with(0, MkeyLayout.MODE_TABLE), 1);
    MkeyLayout.ACCESS.set(input, 0, MkeyLayout.FREE.with(bits, 1));
    MkeyLayout.DOMAIN.set(input, 0, MkeyLayout.REMOTE_INVALIDATE.with(MkeyLayout.PROTECTION_DOMAIN.with(0, domain.number()), 1));
    MkeyLayout.PAGE_SIZE.set(input, 0, MkeyLayout.LOG_PAGE_SIZE.with(0, LOG_PAGE));
    MkeyLayout.TABLE.set(input, 0, table.dmaAddress());
  }

  /** Return the most pages it takes. */
  public int maxPages() {
    return maxPages;
  }

  /**
   * Say where page {@code index} lies; before the registration that is to use it, while the key is invalid.
   *
   * @param dmaAddress on a page of 4 KiB
   */
  public void page(int index, long dmaAddress) {
    MttLayout.ENTRY.set(table.segment(), (long) index * MttLayout.SIZE, dmaAddress);
  }

  /** Return the key of the latest registration that was posted. */
  @Override
  public int key() {
    return key;
  }

  /** Take the next low byte. */
  void bump() {
    key = (key & ~VARIANTS) | (key + 1 & VARIANTS);
  }

  @Override
  public void close() {
    if (!closed) {
      hca.commands().execute(CommandLayout.OP_DESTROY_MKEY, key);
      closed = true;
      table.close();
    }
  }
}
