package io.twostep.device.rdma.umem;

import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.device.rdma.mirror.PageRuns;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.SparseWindow;
import java.util.BitSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * Which pages of a region are linked into its window and set in the device's table, and how. Guarded by the region's lock.
 *
 * <p>Two bits for each page: linked, and writable by the device. No address is kept: the window knows.
 */
final class LinkedPages {
  private final SparseWindow window;
  private final InvalidationBatch batch;
  private final DevicePageTable table;
  private final long pageSize;
  private final int shift;
  private final boolean translates;
  private final BitSet linked;
  private final BitSet writable;
  private final LinkBatch pending;
  private final AtomicLong count = new AtomicLong();
  private final LongAdder everLinked;
  private final PageSink unproved;

  /** Hears of pages. */
  interface PageSink {
    void accept(long offset, long length);
  }

  /**
   * Make a region with nothing linked.
   *
   * @param unproved told of pages that count as not linked though the invalidation was not confirmed: their memory must not be reused
   */
  LinkedPages(DmaMapper mapper, long length, long pageSize, DmaDirection direction, DevicePageTable table, LongAdder everLinked, PageSink unproved) {
    this.everLinked = everLinked;
    this.unproved = unproved;
    this.table = table;
    this.pageSize = pageSize;
    shift = Long.numberOfTrailingZeros(pageSize);
    translates = mapper.limits().translates();
    int pages = page(length);
    linked = new BitSet(pages);
    writable = new BitSet(pages);
    batch = mapper.newBatch();
    window = mapper.newWindow(length, pageSize, direction, DmaAttributes.REQUIRE_COHERENT);
    pending = new LinkBatch(window, table, translates);
  }

  long pageSize() {
    return pageSize;
  }

  long count() {
    return count.get();
  }

  boolean translates() {
    return translates;
  }

  long metadataLength() {
    return ((long) linked.size() + writable.size()) / Byte.SIZE;
  }

  /** Link what a snapshot has from {@code offset} on and is not linked as it should be, and let the device use it. */
  void link(long offset, PageRuns runs, boolean mayWrite) {
    long at = offset;
    try {
      for (int i = 0; i < runs.count(); i++) {
        if (runs.isPresent(i)) {
          requirePageSize(runs, i, at);
          linkRun(at, runs.phys(i), runs.length(i), mayWrite && runs.isWritable(i));
        }
        at += runs.length(i);
      }
      flush();
    } finally {
      pending.clear();
    }
    table.commit();
  }

  private void requirePageSize(PageRuns runs, int i, long offset) {
    if (((offset | runs.phys(i) | runs.length(i)) & (pageSize - 1)) != 0) {
      throw new PageFaultException(
          PageFaultException.Kind.PAGE_SIZE, "the page at offset %#x of the region is smaller than the region's pages of %#x".formatted(offset, pageSize));
    }
  }

  private void linkRun(long offset, long phys, long length, boolean write) {
    int end = page(offset + length);
    for (int page = page(offset); page < end; ) {
      int next;
      if (!linked.get(page)) {
        next = until(linked.nextSetBit(page), end);
        add(page, next, phys + ((long) page << shift) - offset, write);
      } else {
        next = Math.min(end, linked.nextClearBit(page));
        if (write) {
          upgrade(page, next, phys + ((long) page << shift) - offset);
        }
      }
      page = next;
    }
  }

  private void add(int from, int to, long phys, boolean write) {
    DmaDirection access = write ? DmaDirection.BIDIRECTIONAL : DmaDirection.TO_DEVICE;
    if (!pending.tryAdd((long) from << shift, phys, (long) (to - from) << shift, access)) {
      flush();
      pending.start((long) from << shift, phys, (long) (to - from) << shift, access);
    }
  }

  private void flush() {
    if (pending.isEmpty()) {
      return;
    }
    int from = page(pending.offset());
    int to = page(pending.offset() + pending.length());
    try {
      pending.link();
    } catch (RuntimeException e) {
      noteLeftovers(from, to, e.getSuppressed().length == 0);
      throw e;
    }
    note(from, to);
    everLinked.add(to - from);
    pending.setEntries();
    pending.clear();
  }

  /** Note pages of a link that failed and could not be undone: translation leads to them until they are unlinked. */
  private void noteLeftovers(int from, int to, boolean undone) {
    for (int page = from; page < to; page++) {
      if (window.isLinked((long) page << shift)) {
        note(page, page + 1);
      } else if (!undone) {
        unproved.accept((long) page << shift, pageSize);
      }
    }
  }

  private void note(int from, int to) {
    linked.set(from, to);
    if (pending.access().deviceWrites()) {
      writable.set(from, to);
    }
    count.addAndGet(to - from);
  }

  /** Let the device write pages that it could only read: the process may by now, and they are the same ones. */
  private void upgrade(int from, int to, long phys) {
    for (int page = writable.nextClearBit(from); page < to; ) {
      int next = until(writable.nextSetBit(page), to);
      long offset = (long) page << shift;
      long length = (long) (next - page) << shift;
      if (translates) {
        window.protect(offset, length, DmaDirection.BIDIRECTIONAL);
        writable.set(page, next);
        table.set(offset, length, window.address() + offset, DmaDirection.BIDIRECTIONAL);
      } else {
        // Until they are linked again nobody would take the device's entries away.
        table.zap(offset, length);
        table.commit();
        window.unlink(offset, length);
        linked.clear(page, next);
        count.addAndGet(page - next);
        add(page, next, phys + ((long) (page - from) << shift), true);
      }
      page = writable.nextClearBit(next);
    }
  }

  private static int until(int found, int end) {
    return found < 0 ? end : Math.min(found, end);
  }

  boolean anyLinked(long offset, long length) {
    int first = linked.nextSetBit(page(offset));
    return first >= 0 && first < page(offset + length);
  }

  /** Take the device's entries of linked pages away and await the device. */
  void zap(long offset, long length) {
    int end = page(offset + length);
    for (int page = linked.nextSetBit(page(offset)); page >= 0 && page < end; ) {
      int next = Math.min(end, linked.nextClearBit(page));
      table.zap((long) page << shift, (long) (next - page) << shift);
      page = linked.nextSetBit(next);
    }
    table.commit();
  }

  /** Take all entries away and await the device, whatever is linked now. */
  void zapAll(long length) {
    table.zap(0, length);
    table.commit();
  }

  /**
   * Unlink linked pages and invalidate once for all, then tell which of them the device could write.
   *
   * @throws io.twostep.dma.DmaMappingException QUARANTINED if the invalidation was not confirmed; they count as unlinked
   */
  void unlink(long offset, long length, PageSink dirty) {
    int from = page(offset);
    int end = page(offset + length);
    int unlinked = from;
    boolean proved = false;
    try {
      for (int page = linked.nextSetBit(from); page >= 0 && page < end; ) {
        int next = Math.min(end, linked.nextClearBit(page));
        window.unlink((long) page << shift, (long) (next - page) << shift, batch);
        unlinked = next;
        count.addAndGet(page - next);
        page = linked.nextSetBit(next);
      }
    } finally {
      try {
        batch.complete();
        proved = true;
      } finally {
        if (!proved) {
          tell(linked, from, unlinked, unproved);
        }
        linked.clear(from, unlinked);
        tell(writable, from, end, dirty);
        writable.clear(from, end);
      }
    }
  }

  /** Tell which pages the device could write; they stay linked. */
  void tellWritable(long offset, long length, PageSink sink) {
    tell(writable, page(offset), page(offset + length), sink);
  }

  private void tell(BitSet pages, int from, int end, PageSink sink) {
    for (int page = pages.nextSetBit(from); page >= 0 && page < end; ) {
      int next = Math.min(end, pages.nextClearBit(page));
      sink.accept((long) page << shift, (long) (next - page) << shift);
      page = pages.nextSetBit(next);
    }
  }

  private int page(long offset) {
    return (int) (offset >>> shift);
  }

  void close() {
    window.close();
  }
}
