package io.twostep.device.rdma.umem;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.InvalidationListener;
import io.twostep.device.rdma.mirror.InvalidationReason;
import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.device.rdma.mirror.PageRuns;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.device.rdma.mirror.RangeFault;
import io.twostep.device.rdma.mirror.Subscription;
import io.twostep.dma.spi.Closing;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A region of a process whose pages are linked when the device asks for them, and let go of when the process changes them.
 *
 * <p>What the device can reach is at any time a part of what is linked, and that a part of what the process maps. A page that the process may not write as it is, because it is read-only or
 * shared, is linked for reading only. Before a page changes, the device's entries go and the device is awaited, then the page is unlinked and the translation invalidated, then it is marked
 * dirty if the device could write it.
 *
 * <p>Thread-safe: the process changes pages from any thread. Kept per page beside the I/O page table: two bits.
 */
public final class OnDemandUmem implements AutoCloseable {
  private static final long PIECE = 16L << 20;

  private final ProcessMemory process;
  private final long start;
  private final long length;
  private final boolean writable;
  private final RangeFault faults;
  private final LinkedPages pages;
  private final ReentrantLock lock = new ReentrantLock();
  private final Subscription subscription;
  private final @Nullable Runnable afterChange;
  private long invalidations;
  private boolean closed;

  /** Nothing is left to give back. */
  private boolean gone;

  private @Nullable RuntimeException deviceFailure;

  /**
   * Open a region with nothing linked.
   *
   * @param afterChange called without a lock once pages have changed; null for nothing
   */
  OnDemandUmem(OnDemandSource source, long start, long length, long pageSize, int access, DevicePageTable table, @Nullable Runnable afterChange) {
    this.process = source.process();
    this.start = start;
    this.length = length;
    this.faults = source.faults();
    this.afterChange = afterChange;
    writable = AccessFlags.writes(access);
    pages = new LinkedPages(source.mapper(), length, pageSize, AccessFlags.direction(access), table, source.linked(), this::quarantine);
    try {
      subscription = process.subscribe(start, length, new Listener());
    } catch (RuntimeException e) {
      pages.close();
      throw e;
    }
  }

  /** Return the first address of the region in the process. */
  public long start() {
    return start;
  }

  /** Return the bytes of the region. */
  public long length() {
    return length;
  }

  /** Return the bytes of the pages that the region is linked in. */
  public long pageSize() {
    return pages.pageSize();
  }

  /** Return how many pages are linked. */
  public long linkedPages() {
    return pages.count();
  }

  /** Return the bytes kept beside the I/O page table for knowing what is linked. */
  public long metadataLength() {
    return pages.metadataLength();
  }

  /** Return how many changes of the process reached linked pages. */
  public long invalidations() {
    lock.lock();
    try {
      return invalidations;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Bring pages in and let the device have them; those it has already stay. With {@link FaultMode#SNAPSHOT} only what is in memory is linked.
   *
   * @param va any address in the region
   * @param bytes any positive length within the region; all pages touched are meant
   * @throws PageFaultException if a page cannot be had; pages before it may be linked
   * @throws io.twostep.dma.DmaMappingException if a page cannot be linked; none of the piece of 16 MiB that it lies in is then
   * @throws IllegalStateException if the region is closed, or its device did not take entries back
   */
  public void fault(long va, long bytes, FaultMode mode) {
    if (va < start || bytes <= 0 || bytes > start + length - va) {
      throw new IllegalArgumentException("%s: %#x+%#x is not within the region %#x+%#x".formatted(process.name(), va, bytes, start, length));
    }
    if (mode == FaultMode.WRITE && !writable) {
      throw new PageFaultException(PageFaultException.Kind.READ_ONLY, "%s: the region at %#x gives no right to write".formatted(process.name(), start));
    }
    if (lock.isHeldByCurrentThread()) {
      throw new IllegalStateException(process.name() + ": a page table must not fault pages of its own region while it is called");
    }
    long pageMask = pages.pageSize() - 1;
    long end = start + ((va + bytes - start + pageMask) & ~pageMask);
    for (long at = start + ((va - start) & ~pageMask); at < end; ) {
      long piece = Math.min(end, (at + PIECE) & -PIECE) - at;
      link(at, piece, mode);
      at += piece;
    }
  }

  private void link(long va, long bytes, FaultMode mode) {
    faults.run(subscription, va, bytes, mode, lock, runs -> commit(va, bytes, runs));
  }

  /** Link what was seen; under the lock. */
  private void commit(long va, long bytes, PageRuns runs) {
    requireUsable();
    long offset = va - start;
    try {
      pages.link(offset, runs, writable);
    } catch (RuntimeException e) {
      letGo(offset, bytes, e);
      throw e;
    }
  }

  private void quarantine(long offset, long bytes) {
    process.quarantine(start + offset, bytes);
  }

  private void markDirty(long offset, long bytes) {
    process.markDirty(start + offset, bytes);
  }

  private void requireUsable() {
    if (closed) {
      throw new IllegalStateException("%s: the region at %#x is closed".formatted(process.name(), start));
    }
    if (deviceFailure != null) {
      throw new IllegalStateException(
          "%s: the device did not take entries of the region at %#x back; reset it and register anew".formatted(process.name(), start), deviceFailure);
    }
  }

  private void letGo(long offset, long bytes, RuntimeException cause) {
    try {
      release(offset, bytes);
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
    }
  }

  /**
   * Take pages from the device; under the lock.
   *
   * @throws RuntimeException if the device could not be proved away
   */
  private boolean release(long offset, long bytes) {
    if (!pages.anyLinked(offset, bytes)) {
      return false;
    }
    try {
      pages.zap(offset, bytes);
    } catch (RuntimeException e) {
      deviceFailure = e;
      if (!pages.translates()) {
        // They stay linked and change all the same: what the device wrote so far goes with them.
        pages.tellWritable(offset, bytes, this::markDirty);
        throw e;
      }
    }
    try {
      pages.unlink(offset, bytes, this::markDirty);
    } catch (RuntimeException e) {
      // The window may lead to where pages were: it must not be taken for where they are.
      deviceFailure = e;
      throw e;
    }
    return true;
  }

  private final class Listener implements InvalidationListener {
    @Override
    public void start(long va, long bytes, InvalidationReason reason) {
      lock.lock();
      try {
        long mask = pages.pageSize() - 1;
        long from = (va - start) & ~mask;
        long to = (va - start + bytes + mask) & ~mask;
        if (!gone && release(from, to - from)) {
          invalidations++;
        }
      } finally {
        lock.unlock();
      }
    }

    @Override
    public void end(long va, long bytes, InvalidationReason reason) {
      if (afterChange != null) {
        afterChange.run();
      }
    }
  }

  /**
   * Take everything from the device and give the window back. May be repeated.
   *
   * @throws RuntimeException if the device could not be proved away; what it may still name, memory or I/O addresses, stays held then, and closing may be tried again
   */
  @Override
  public void close() {
    try {
      release();
    } finally {
      if (isGone()) {
        // Not before: until then the process must not reuse what the device may still reach.
        subscription.close();
      }
    }
  }

  private void release() {
    lock.lock();
    try {
      if (gone) {
        return;
      }
      closed = true;
      Closing closing = new Closing().then(() -> release(0, length)).then(this::zapAgain);
      if (deviceFailure == null && !pages.anyLinked(0, length)) {
        gone = true;
        closing.then(pages::close);
      }
      closing.end();
    } finally {
      lock.unlock();
    }
  }

  private boolean isGone() {
    lock.lock();
    try {
      return gone;
    } finally {
      lock.unlock();
    }
  }

  /** Have a device that did not take entries back do so: they may still name the window, where another's memory must not come to lie. */
  private void zapAgain() {
    if (deviceFailure != null) {
      pages.zapAll(length);
      deviceFailure = null;
    }
  }
}
