package io.twostep.backend.iommu;

import io.twostep.backend.iommu.table.TableMemory;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The memory of one address space's page tables: pages cut from blocks of the machine, kept for reuse until close.
 *
 * <p>Free pages form a stack through their own first words, popped and pushed by compare-and-set. The head carries a tag that changes with every operation, so that a
 * page which was popped and pushed meanwhile is not taken for the same head. Thread-safe.
 */
final class TableArena implements TableMemory, AutoCloseable {
  private static final int PAGE_SHIFT = 12;
  private static final int INDEX_BITS = 40;
  private static final long INDEX_MASK = (1L << INDEX_BITS) - 1;
  private static final long EMPTY = INDEX_MASK;
  private static final int BLOCK_PAGES = 64;

  private final PhysicalMemory memory;
  private final MemoryPlacement placement;
  private final long highestPhys;
  private final MemorySegment segment;
  private final long base;
  private final long mostPages;
  private final Runnable reclaim;
  private final List<MemoryBlock> blocks = new ArrayList<>();
  private final AtomicLong head = new AtomicLong(EMPTY);
  private final AtomicLong used = new AtomicLong();
  private long pages;

  /**
   * Creates an arena without memory.
   *
   * @param highestPhys the highest address a table may have
   * @param segment the flat view through which tables are written; byte 0 has physical address {@code base}
   * @param mostPages the limit, or {@code Long.MAX_VALUE}
   * @param reclaim tries to bring pages back that only wait for an invalidation
   */
  TableArena(
      PhysicalMemory memory,
      MemoryPlacement placement,
      long highestPhys,
      MemorySegment segment,
      long base,
      long mostPages,
      Runnable reclaim) {
    this.memory = memory;
    this.placement = placement;
    this.highestPhys = highestPhys;
    this.segment = segment;
    this.base = base;
    this.mostPages = mostPages;
    this.reclaim = reclaim;
  }

  @Override
  public MemorySegment segment() {
    return segment;
  }

  @Override
  public long base() {
    return base;
  }

  @Override
  public long allocatePage() {
    long page = pop();
    if (page == NONE) {
      page = grow();
    }
    if (page == NONE && tryReclaim()) {
      page = pop();
    }
    if (page != NONE) {
      used.getAndIncrement();
      clear(page - base);
    }
    return page;
  }

  private boolean tryReclaim() {
    try {
      reclaim.run();
      return true;
    } catch (DmaMappingException e) {
      // What waits goes on waiting, and there is no page: whoever is building tables must hear of that by the answer, to give back what it holds.
      return false;
    }
  }

  @Override
  public void freePage(long phys) {
    used.getAndDecrement();
    push(phys);
  }

  /** Returns how many pages are handed out. */
  long usedPages() {
    return used.get();
  }

  private long pop() {
    while (true) {
      long now = head.get();
      long index = now & INDEX_MASK;
      if (index == EMPTY) {
        return NONE;
      }
      // Stale if another thread took the page meanwhile; then the tag differs and the exchange fails.
      long next = segment.get(ValueLayout.JAVA_LONG, index << PAGE_SHIFT);
      if (head.compareAndSet(now, tagAfter(now) | (next & INDEX_MASK))) {
        return base + (index << PAGE_SHIFT);
      }
    }
  }

  private void push(long page) {
    long index = (page - base) >>> PAGE_SHIFT;
    while (true) {
      long now = head.get();
      segment.set(ValueLayout.JAVA_LONG, index << PAGE_SHIFT, now & INDEX_MASK);
      if (head.compareAndSet(now, tagAfter(now) | index)) {
        return;
      }
    }
  }

  private static long tagAfter(long now) {
    return (now & ~INDEX_MASK) + (1L << INDEX_BITS);
  }

  private void clear(long offset) {
    for (long at = offset; at < offset + PAGE; at += Long.BYTES) {
      segment.set(ValueLayout.JAVA_LONG, at, 0L);
    }
  }

  /** Takes another block, or what the limit or the machine still allows, and returns one page of it. */
  private synchronized long grow() {
    long page = pop();
    if (page != NONE) {
      return page;
    }
    long wanted = Math.min(BLOCK_PAGES, mostPages - pages);
    while (wanted > 0) {
      MemoryBlock block = tryAllocate(wanted * PAGE);
      if (block != null) {
        return adopt(block, wanted);
      }
      wanted /= 2;
    }
    return NONE;
  }

  private long adopt(MemoryBlock block, long count) {
    blocks.add(block);
    pages += count;
    long first = block.phys(0);
    for (long i = count - 1; i > 0; i--) {
      push(first + i * PAGE);
    }
    return first;
  }

  private @Nullable MemoryBlock tryAllocate(long bytes) {
    try {
      return memory.allocate(bytes, placement, highestPhys);
    } catch (DmaMappingException e) {
      // Out of memory is an answer here: the caller reports TABLE_MEMORY with the range it was for.
      return null;
    }
  }

  /** Gives all memory back; nothing walks these tables any more. */
  @Override
  public synchronized void close() {
    for (MemoryBlock block : blocks) {
      block.close();
    }
    blocks.clear();
    pages = 0;
    head.set(EMPTY);
  }
}
