package io.twostep.device.rdma.mirror;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** Reads, writes and looks at the pages of a process, and brings those in that are not as they must be. Thread-safe; called without the process's lock. */
final class PageAccess {
  private final FramePool pool;
  private final MappingTable mappings;
  private final PageFaults faults;
  private final ReentrantReadWriteLock lock;
  private final Copies copies;

  /** Gives shared pages frames of their own, announcing the change. */
  interface Copies {
    void copy(long va, long end, Level level);
  }

  PageAccess(FramePool pool, MappingTable mappings, PageFaults faults, ReentrantReadWriteLock lock, Copies copies) {
    this.pool = pool;
    this.mappings = mappings;
    this.faults = faults;
    this.lock = lock;
    this.copies = copies;
  }

  /** Copy bytes between a range and other memory, bringing pages to a level. */
  void copy(long va, MemorySegment other, long offset, long length, Level level) {
    long done = 0;
    while (true) {
      lock.readLock().lock();
      try {
        done = copyWhatIsThere(va, other, offset, done, length, level);
      } finally {
        lock.readLock().unlock();
      }
      if (done == length) {
        return;
      }
      long page = (va + done) & -pool.pageSize();
      fault(page, page + pool.pageSize(), level);
    }
  }

  private long copyWhatIsThere(long va, MemorySegment other, long offset, long from, long length, Level level) {
    long done = from;
    while (done < length) {
      long at = va + done;
      Mapping mapping = mappings.find(at);
      if (mapping == null || !level.isMetBy(mapping.pte(at), pool)) {
        return done;
      }
      int frame = Pte.frame(mapping.pte(at));
      long inPage = at & (mapping.pageSize() - 1);
      long piece = Math.min(length - done, mapping.pageSize() - inPage);
      MemorySegment memory = pool.segment(frame);
      long inMemory = pool.offsetInChunk(frame) + inPage;
      if (level == Level.WRITE) {
        MemorySegment.copy(other, offset + done, memory, inMemory, piece);
      } else {
        MemorySegment.copy(memory, inMemory, other, offset + done, piece);
      }
      done += piece;
    }
    return done;
  }

  /** Bring pages to a level, whatever it takes; without a lock. */
  void fault(long va, long end, Level level) {
    long at = va;
    while (at < end) {
      long copyStart;
      long copyEnd;
      lock.writeLock().lock();
      try {
        at = faults.populate(at, end, level);
        copyStart = faults.pageStart(at);
        copyEnd = at < end ? faults.sharedEnd(at, end, level) : copyStart;
      } finally {
        lock.writeLock().unlock();
      }
      if (copyEnd > copyStart) {
        copies.copy(copyStart, copyEnd, level);
      }
    }
  }

  /** Add a range to a snapshot; with {@code asTheyAre}, without bringing anything in. */
  void look(long va, long end, Level level, boolean asTheyAre, PageRuns runs) {
    long at = va;
    runs.clear();
    while (true) {
      lock.readLock().lock();
      try {
        at = add(at, end, level, asTheyAre, runs);
      } finally {
        lock.readLock().unlock();
      }
      if (at == end) {
        return;
      }
      fault(at, end, level);
    }
  }

  /** Add pages to a snapshot up to the first that is not as wanted; returns it. */
  private long add(long va, long end, Level level, boolean asTheyAre, PageRuns runs) {
    long at = va;
    while (at < end) {
      Mapping mapping = mappings.find(at);
      long pte = mapping == null ? 0 : mapping.pte(at);
      if (!asTheyAre && !level.isMetBy(pte, pool)) {
        return at;
      }
      long next = mapping == null ? at + pool.pageSize() : Math.min(end, mapping.nextPage(at));
      if (mapping != null && Pte.has(pte, Pte.PRESENT)) {
        int frame = Pte.frame(pte);
        long inPage = at & ((1L << mapping.pageShift) - 1);
        int flags = PageRuns.PRESENT | (Pte.has(pte, Pte.WRITE) ? PageRuns.WRITABLE : 0) | (mapping.huge ? PageRuns.HUGE : 0);
        runs.add(pool.phys(frame) + inPage, next - at, flags, pool.chunk(frame));
      } else {
        runs.add(0, next - at, 0, 0);
      }
      at = next;
    }
    return at;
  }
}
