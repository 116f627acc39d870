package io.twostep.device.rdma;

import io.twostep.device.rdma.umem.DmaExtents;
import io.twostep.device.rdma.umem.PinnedUmem;
import io.twostep.device.rdma.wire.MkeyLayout;
import java.util.function.LongUnaryOperator;

/**
 * A key over memory that stays mapped until it is closed, or until the owner of peers' memory takes that back, which closes it. The adapter has one entry for each page of the largest size that the DMA ranges
 * allow.
 */
public final class PinnedKey implements MemoryKey {
  private static final long PAGE_SIZES = (1L << 32) - (1L << 12);

  private final KeyPool pool;
  private final PinnedUmem umem;
  private final AdapterKey key;
  private final int name;
  private boolean closed;

  /** Take over {@code umem}, which is closed if this fails, unless the adapter cannot be proved away from it. */
  PinnedKey(Hca hca, ProtectionDomain domain, long start, PinnedUmem umem, int access) {
    this.umem = umem;
    pool = hca.keys();
    DmaExtents extents = umem.extents();
    long page = extents.bestPageSize(PAGE_SIZES, start);
    if (page == 0) {
      umem.close();
      throw new IllegalArgumentException(
          "%s: no page of 4 KiB or more fits address 0x%x and %d DMA ranges; inner edges must lie on pages".formatted(hca.name(), start, extents.count()));
    }
    long entries = ((start & (page - 1)) + umem.length() + page - 1) / page;
    try {
      key = pool.take(MkeyLayout.MODE_TABLE, false, entries);
    } catch (RuntimeException e) {
      umem.close();
      throw e;
    }
    try {
      key.load(0, entries, new PageCursor(extents, page));
      name = key.enable(domain, access, start, umem.length(), Long.numberOfTrailingZeros(page));
    } catch (RuntimeException e) {
      if (pool.tryGiveBack(key, e)) {
        umem.close();
      }
      throw e;
    }
    umem.onLetGo(this::close);
  }

  /** Gives the addresses of pages, one after the other. */
  private static final class PageCursor implements LongUnaryOperator {
    private final DmaExtents extents;
    private final long page;
    private int extent;
    private long next;

    PageCursor(DmaExtents extents, long page) {
      this.extents = extents;
      this.page = page;
      next = extents.dmaAddress(0) & -page;
    }

    @Override
    public long applyAsLong(long index) {
      long address = next;
      if (address == ((extents.dmaAddress(extent) + extents.length(extent) - 1) & -page) && extent + 1 < extents.count()) {
        extent++;
        next = extents.dmaAddress(extent) & -page;
      } else {
        next = address + page;
      }
      return address;
    }
  }

  @Override
  public int key() {
    return name;
  }

  /** Return the memory. */
  public PinnedUmem umem() {
    return umem;
  }

  /** Tell whether the key permits nothing any more: it was closed, or the owner of peers' memory took it back. */
  public synchronized boolean isClosed() {
    return closed;
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      pool.giveBack(key);
      closed = true;
      umem.close();
    }
  }
}
