package io.twostep.device.rdma.mirror;

import io.twostep.device.rdma.mirror.Notifier.Change;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * The address space of a modelled process: pages that come when they are touched, and are shared, moved, swapped out, truncated and taken away while devices use
 * them.
 *
 * <p>Thread-safe. Addresses and lengths are bytes; unless it says otherwise, a range consists of whole pages. Whatever changes pages tells subscribers before and after, without
 * holding any lock of its own.
 */
public final class ProcessMemory implements AutoCloseable {
  private static final long LOWEST = 1L << 44;
  private static final long HIGHEST = 1L << 47;

  private final String name;
  private final FramePool pool;
  private final SwapStore swap;
  private final MappingTable mappings = new MappingTable();
  private final PageFaults faults;
  private final PageAccess access;
  private final PageChanges changes;
  private final Notifier notifier = new Notifier(this::quarantine);
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private final AtomicInteger forks = new AtomicInteger();
  private long nextFree = LOWEST;
  private volatile boolean closed;

  /** Create an empty process; {@code name} appears in messages. */
  public ProcessMemory(String name, FramePool pool) {
    this(name, pool, new SwapStore(pool.pageSize()));
  }

  private ProcessMemory(String name, FramePool pool, SwapStore swap) {
    this.name = name;
    this.pool = pool;
    this.swap = swap;
    faults = new PageFaults(name, pool, swap, mappings);
    access = new PageAccess(pool, mappings, faults, lock, this::copyShared);
    changes = new PageChanges(pool, swap);
  }

  /** Map {@code length} bytes of small pages, absent at first and read as zeros; returns their address. */
  public long map(long length, boolean writable) {
    return map(length, writable, false);
  }

  /** Map {@code length} bytes of huge pages; as {@link #map(long, boolean)}. */
  public long mapHuge(long length, boolean writable) {
    return map(length, writable, true);
  }

  private long map(long length, boolean writable, boolean huge) {
    lock.writeLock().lock();
    try {
      long va = nextFree;
      add(va, length, writable, huge);
      nextFree = (va + length + 2 * pool.hugePageSize() - 1) & -pool.hugePageSize();
      return va;
    } finally {
      lock.writeLock().unlock();
    }
  }

  /**
   * Map {@code length} bytes of small pages at {@code va}.
   *
   * @throws IllegalArgumentException if something is mapped there
   */
  public void mapAt(long va, long length, boolean writable) {
    lock.writeLock().lock();
    try {
      add(va, length, writable, false);
      if (va + length > nextFree) {
        nextFree = (va + length + 2 * pool.hugePageSize() - 1) & -pool.hugePageSize();
      }
    } finally {
      lock.writeLock().unlock();
    }
  }

  private void add(long va, long length, boolean writable, boolean huge) {
    long pageSize = huge ? pool.hugePageSize() : pool.pageSize();
    requirePages(va, length, pageSize);
    if (closed) {
      throw new IllegalStateException(name + " has ended");
    }
    int shift = Long.numberOfTrailingZeros(pageSize);
    if (length >>> shift > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(name + ": " + length + " bytes are more pages than one mapping has");
    }
    if (!mappings.tryAdd(new Mapping(va, va + length, shift, huge, writable, va + length, new long[(int) (length >>> shift)]))) {
      throw new IllegalArgumentException("%s: %#x+%#x overlaps what is mapped".formatted(name, va, length));
    }
  }

  /** Take away what is mapped in the range; holes are skipped. */
  public void unmap(long va, long length) {
    change(va, length, InvalidationReason.UNMAP, freed -> {
      splitAt(va, va + length);
      for (Mapping mapping : mappings.within(va, va + length)) {
        changes.drop(mapping, mapping.start, mapping.end, freed);
        mappings.remove(mapping);
      }
    });
  }

  /** Change what the process may do with the range; holes are skipped. */
  public void protect(long va, long length, boolean writable) {
    change(va, length, InvalidationReason.PROTECT, freed -> {
      splitAt(va, va + length);
      for (Mapping mapping : mappings.within(va, va + length)) {
        changes.protect(mapping, writable);
      }
    });
  }

  /**
   * Cut off, or restore, what backs the mapping that {@code va} lies in: its pages from {@code va} on cannot be had, those before it can. Contents from there on are gone.
   *
   * @throws IllegalArgumentException if nothing is mapped there
   */
  public void truncate(long va) {
    long end = mappingEnd(va);
    change(va, end - va, InvalidationReason.TRUNCATE, freed -> {
      requireEdge(va);
      Mapping mapping = mappings.find(va);
      if (mapping == null || mapping.end != end) {
        throw new IllegalStateException("%s: the mapping at %#x was changed by another thread".formatted(name, va));
      }
      changes.drop(mapping, va, end, freed);
      mapping.backedEnd = va;
    });
  }

  /** Give the mapping that {@code va} lies in its full backing again; what was cut off reads as zeros. */
  public void extend(long va) {
    lock.writeLock().lock();
    try {
      Mapping mapping = mappings.find(va);
      if (mapping == null) {
        throw new IllegalArgumentException("%s: nothing is mapped at %#x".formatted(name, va));
      }
      mapping.backedEnd = mapping.end;
    } finally {
      lock.writeLock().unlock();
    }
  }

  private long mappingEnd(long va) {
    lock.readLock().lock();
    try {
      Mapping mapping = mappings.find(va);
      if (mapping == null) {
        throw new IllegalArgumentException("%s: nothing is mapped at %#x".formatted(name, va));
      }
      return mapping.end;
    } finally {
      lock.readLock().unlock();
    }
  }

  /** Throw contents away: the pages read as zeros. */
  public void discard(long va, long length) {
    change(va, length, InvalidationReason.DISCARD, freed -> forEachPart(va, length, (mapping, from, to) -> changes.drop(mapping, from, to, freed)));
  }

  /** Move contents to other frames; shared and pinned pages, and those for which no frame is free, stay where they are. */
  public void migrate(long va, long length) {
    change(va, length, InvalidationReason.MIGRATE, freed -> forEachPart(va, length, (mapping, from, to) -> changes.migrate(mapping, from, to, freed)));
  }

  /** Move contents out of memory; huge and pinned pages stay. */
  public void swapOut(long va, long length) {
    change(va, length, InvalidationReason.SWAP, freed -> forEachPart(va, length, (mapping, from, to) -> changes.swapOut(mapping, from, to, freed)));
  }

  /**
   * Make a process with the same contents. Pages are shared until one of the two writes, pinned ones are copied at once.
   *
   * @throws PageFaultException NO_FRAMES if pinned pages cannot be copied; there is no child then
   */
  public ProcessMemory fork() {
    ProcessMemory child = new ProcessMemory(name + "." + forks.incrementAndGet(), pool, swap);
    boolean[] done = new boolean[1];
    try {
      change(0, HIGHEST, InvalidationReason.FORK, freed -> {
        for (Mapping mapping : mappings.all()) {
          child.mappings.tryAdd(changes.share(mapping));
        }
        child.nextFree = nextFree;
        done[0] = true;
      });
    } finally {
      if (!done[0]) {
        child.close();
      }
    }
    return child;
  }

  private void splitAt(long start, long end) {
    requireEdge(start);
    requireEdge(end);
    mappings.splitAt(start, end);
  }

  private void requireEdge(long va) {
    Mapping mapping = mappings.find(va);
    if (mapping != null && (va & (mapping.pageSize() - 1)) != 0) {
      throw new IllegalArgumentException("%s: %#x lies inside a page of %#x".formatted(name, va, mapping.pageSize()));
    }
  }

  private interface Edit {
    void make(FrameList freed);
  }

  private interface PartEdit {
    void make(Mapping mapping, long from, long to);
  }

  private void change(long va, long length, InvalidationReason reason, Edit edit) {
    requirePages(va, length, pool.pageSize());
    FrameList freed = new FrameList();
    Change change = notifier.begin(va, va + length, reason);
    try {
      lock.writeLock().lock();
      try {
        edit.make(freed);
      } finally {
        lock.writeLock().unlock();
      }
    } finally {
      freed.release(pool);
      notifier.end(change);
    }
  }

  private void forEachPart(long va, long length, PartEdit edit) {
    for (Mapping mapping : mappings.within(va, va + length)) {
      long from = Math.max(va, mapping.start);
      long to = Math.min(va + length, mapping.end);
      requirePages(from, to - from, mapping.pageSize());
      edit.make(mapping, from, to);
    }
  }

  private void requirePages(long va, long length, long pageSize) {
    if (va < 0 || length <= 0 || length > HIGHEST - va || ((va | length) & (pageSize - 1)) != 0) {
      throw new IllegalArgumentException("%s: %#x+%#x is no range of whole pages of %#x".formatted(name, va, length, pageSize));
    }
  }

  /** Return what process this is. */
  public String name() {
    return name;
  }

  /** Return the bytes of a small page. */
  public long pageSize() {
    return pool.pageSize();
  }

  /** Return the bytes of a huge page. */
  public long hugePageSize() {
    return pool.hugePageSize();
  }

  /** Return the address behind the last one a process can have. */
  public static long addressLimit() {
    return HIGHEST;
  }

  /**
   * Read bytes as the process; any address and length.
   *
   * @throws PageFaultException if a page cannot be had; what lies before it has been read
   */
  public void read(long va, MemorySegment target, long offset, long length) {
    requireRange(va, length);
    access.copy(va, target, offset, length, Level.READ);
  }

  /** Write bytes as the process; as {@link #read}. */
  public void write(long va, MemorySegment source, long offset, long length) {
    requireRange(va, length);
    access.copy(va, source, offset, length, Level.WRITE);
  }

  private void requireRange(long va, long length) {
    if (va < 0 || length < 0 || length > HIGHEST - va) {
      throw new IllegalArgumentException("%s: %#x+%#x is no range of a process".formatted(name, va, length));
    }
  }

  private void copyShared(long va, long end, Level level) {
    change(va, end - va, InvalidationReason.COPY_ON_WRITE, freed -> forEachPart(va, end - va, (mapping, from, to) -> {
      int last = mapping.index(to - 1);
      for (int i = mapping.index(from); i <= last; i++) {
        faults.copyShared(mapping, i, level, freed);
      }
    }));
  }

  /**
   * Look at a range of pages, bringing them in as {@code mode} says. What is seen may have changed when this returns: see {@link Subscription} and {@link RangeFault}.
   *
   * @throws PageFaultException if a page cannot be had
   */
  public void faultRange(long va, long length, FaultMode mode, PageRuns runs) {
    requirePages(va, length, pool.pageSize());
    Level level = mode == FaultMode.WRITE ? Level.WRITE : Level.READ;
    access.look(va, va + length, level, mode == FaultMode.SNAPSHOT, runs);
  }

  /** Note that a device has written to pages that were writable when it was let go of; for a listener's start. */
  public void markDirty(long va, long length) {
    requirePages(va, length, pool.pageSize());
    lock.writeLock().lock();
    try {
      for (Mapping mapping : mappings.within(va, va + length)) {
        changes.markDirty(mapping, Math.max(va, mapping.start), Math.min(va + length, mapping.end));
      }
    } finally {
      lock.writeLock().unlock();
    }
  }

  /**
   * Never give anybody the frames that the range has now, once nobody holds them any more: for who lets go of pages without a proof that a device did. Also for a listener's start.
   *
   * @param va a whole page, as {@code length}
   */
  public void quarantine(long va, long length) {
    requirePages(va, length, pool.pageSize());
    lock.readLock().lock();
    try {
      for (Mapping mapping : mappings.within(va, va + length)) {
        changes.quarantine(mapping, Math.max(va, mapping.start), Math.min(va + length, mapping.end));
      }
    } finally {
      lock.readLock().unlock();
    }
  }

  /**
   * Hold pages in memory where they are, for as long as the result is open; any address and length.
   *
   * @param write whether they will be written
   * @param budget pays for whole pages
   * @throws PageFaultException if a page cannot be had; nothing is held then
   * @throws io.twostep.dma.DmaMappingException PIN_LIMIT if the budget does not suffice; nothing is held then
   */
  public PinnedPages pin(long va, long length, boolean write, PinBudget budget) {
    if (va < 0 || length <= 0 || length > HIGHEST - va) {
      throw new IllegalArgumentException("%s: %#x+%#x is no range of a process".formatted(name, va, length));
    }
    long from = va & -pool.pageSize();
    long end = (va + length + pool.pageSize() - 1) & -pool.pageSize();
    budget.reserve(end - from);
    PinnedPages pinned = new PinnedPages(pool, budget, va - from, length, end - from);
    Level level = write ? Level.WRITE : Level.OWN;
    try {
      long at = from;
      while (at < end) {
        access.fault(at, end, level);
        lock.writeLock().lock();
        try {
          at = changes.pin(mappings, at, end, level, pinned);
        } finally {
          lock.writeLock().unlock();
        }
      }
      return pinned;
    } catch (RuntimeException e) {
      pinned.close();
      throw e;
    }
  }

  /**
   * Hear of changes to a range from now on.
   *
   * @throws IllegalStateException if the process has ended
   */
  public Subscription subscribe(long va, long length, InvalidationListener listener) {
    requirePages(va, length, pool.pageSize());
    if (closed) {
      throw new IllegalStateException(name + " has ended");
    }
    return notifier.subscribe(va, va + length, listener);
  }

  /** Return what the process did and holds. */
  public ProcessStatistics statistics() {
    lock.readLock().lock();
    try {
      return new ProcessStatistics(
          faults.faulted(), faults.copied(), changes.moved(), changes.swapped(), notifier.changes(), notifier.subscriptions(), swap.inUse());
    } finally {
      lock.readLock().unlock();
    }
  }

  /** End the process: everything it maps goes. Pinned frames stay until they are let go of. May be repeated. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    change(0, HIGHEST, InvalidationReason.EXIT, freed -> {
      for (Mapping mapping : mappings.all()) {
        changes.drop(mapping, mapping.start, mapping.end, freed);
        mappings.remove(mapping);
      }
    });
  }
}
