package io.twostep.backend.swiotlb.pool;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.ThreadPlaces;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Bounce slots for devices of one reach: areas with a lock each, spread over threads, made when first needed and added up to a limit.
 *
 * <p>A buffer is named by its position: the area's index above bit 40, below it the byte in the area. Thread-safe; allocates no heap memory but for a new area.
 */
public final class SlotPool implements AutoCloseable {
  /** No slots are free just now. */
  public static final long EXHAUSTED = -1;

  /** Not even an empty area holds the buffer. */
  public static final long TOO_LARGE = -2;

  /** There is no memory for the area that the buffer would need. */
  public static final long NO_MEMORY = -3;

  /** Bytes of the least area: one set. */
  public static final long LEAST_AREA = SlotRules.SLOT * Long.SIZE;

  /** Bytes of the largest area. */
  public static final long LARGEST_AREA = 1L << 40;

  /** Most areas of a pool. */
  public static final int MOST_AREAS = 1 << 20;

  private static final int AREA_SHIFT = 40;
  private static final long IN_AREA = (1L << AREA_SHIFT) - 1;

  private final AreaSource source;
  private final long areaBytes;
  private final int stripeMask;
  private final ThreadPlaces stripes;
  private final AtomicReferenceArray<@Nullable SlotArea> areas;
  private final Object growing = new Object();

  /**
   * Create a pool without memory.
   *
   * @param areaBytes bytes of an area, a power of two from {@link #LEAST_AREA} to {@link #LARGEST_AREA}
   * @param stripes areas that threads are spread over, a power of two
   * @param mostAreas areas the pool may have, at least {@code stripes}
   */
  public SlotPool(AreaSource source, long areaBytes, int stripes, int mostAreas) {
    if (Long.bitCount(areaBytes) != 1 || areaBytes < LEAST_AREA || areaBytes > LARGEST_AREA) {
      throw new IllegalArgumentException("areas of " + areaBytes + " bytes must be a power of two from " + LEAST_AREA);
    }
    if (Integer.bitCount(stripes) != 1 || stripes < 1 || mostAreas < stripes || mostAreas > MOST_AREAS) {
      throw new IllegalArgumentException(stripes + " stripes must be a power of two, and at most the " + mostAreas + " areas");
    }
    this.source = source;
    this.areaBytes = areaBytes;
    this.stripeMask = stripes - 1;
    this.stripes = new ThreadPlaces(stripes);
    this.areas = new AtomicReferenceArray<>(mostAreas);
  }

  /** Return the bytes of an area. */
  public long areaBytes() {
    return areaBytes;
  }

  /**
   * Take slots for a buffer.
   *
   * @param rules what it keeps to; its {@link SlotRules#leastArea} is at most an area
   * @param length bytes, positive
   * @param low the address it stands for, whose low bits are kept
   * @return the buffer's position; {@link #EXHAUSTED}, {@link #TOO_LARGE} or {@link #NO_MEMORY}, and nothing is taken
   */
  public long allocate(SlotRules rules, long length, long low) {
    if (length > areaBytes - rules.lead(low) || rules.residue(low) + (rules.bytes(length, low) >>> SlotRules.SLOT_SHIFT) > areaBytes >>> SlotRules.SLOT_SHIFT) {
      return TOO_LARGE;
    }
    int home = stripes.ofThread();
    int slot = tryAllocate(home, rules, length, low);
    if (slot >= 0) {
      return position(home, slot) + rules.lead(low);
    }
    return slot == SlotArea.BUSY ? allocateBeside(home, rules, length, low) : allocateElsewhere(home, rules, length, low);
  }

  private int tryAllocate(int index, SlotRules rules, long length, long low) {
    SlotArea area = areas.getAcquire(index);
    return area == null ? SlotArea.NONE : area.tryAllocate(rules, length, low);
  }

  /** Pass over areas that other threads are in just now; wait for one only where all are. */
  private long allocateBeside(int home, SlotRules rules, long length, long low) {
    for (int i = 1; i <= stripeMask; i++) {
      int index = home + i & stripeMask;
      int slot = tryAllocate(index, rules, length, low);
      if (slot >= 0) {
        return position(index, slot) + rules.lead(low);
      }
    }
    return allocateElsewhere(home, rules, length, low);
  }

  /** Make the home area if it has no memory yet; else look into every other area, nearest stripe first, and add one in the end. */
  private long allocateElsewhere(int home, SlotRules rules, long length, long low) {
    boolean memory = areas.getAcquire(home) != null || add(home);
    int most = areas.length();
    for (int i = 0; i < most; i++) {
      int index = i <= stripeMask ? home + i & stripeMask : i;
      SlotArea area = areas.getAcquire(index);
      if (area == null && memory) {
        memory = add(index);
        area = areas.getAcquire(index);
      }
      int slot = area == null ? SlotArea.NONE : area.allocate(rules, length, low);
      if (slot != SlotArea.NONE) {
        return position(index, slot) + rules.lead(low);
      }
    }
    return memory ? EXHAUSTED : NO_MEMORY;
  }

  /** Give an area memory; false if there is none. */
  private boolean add(int index) {
    synchronized (growing) {
      if (areas.getPlain(index) != null) {
        return true;
      }
      MemoryBlock memory = source.allocate(areaBytes);
      if (memory == null) {
        return false;
      }
      SlotArea area = null;
      try {
        if ((memory.phys(0) & areaBytes - 1) != 0 || memory.length() < areaBytes) {
          throw new IllegalStateException("area memory must be " + areaBytes + " bytes aligned to their length");
        }
        area = new SlotArea(memory, areaBytes);
      } finally {
        // Also where the heap has no room for the lists of an area.
        if (area == null) {
          memory.close();
        }
      }
      areas.setRelease(index, area);
      return true;
    }
  }

  private static long position(int index, int slot) {
    return (long) index << AREA_SHIFT | (long) slot << SlotRules.SLOT_SHIFT;
  }

  /**
   * Give back the slots of a buffer and return the bytes that were taken for it.
   *
   * @param rules those it was allocated with
   * @param at its position
   * @throws IllegalStateException if no buffer is there
   */
  public long free(SlotRules rules, long at) {
    long start = rules.start(at);
    return (long) area(start).free((int) ((start & IN_AREA) >>> SlotRules.SLOT_SHIFT)) << SlotRules.SLOT_SHIFT;
  }

  /** Return the physical address at a position. */
  public long phys(long at) {
    return area(at).phys() + offset(at);
  }

  /** Return the CPU's view of the area of a position; see {@link #offset}. */
  public MemorySegment view(long at) {
    return area(at).view();
  }

  /** Return the byte of a position in its area's {@link #view}. */
  public static long offset(long at) {
    return at & IN_AREA;
  }

  private SlotArea area(long at) {
    return Objects.requireNonNull(areas.getAcquire((int) (at >>> AREA_SHIFT)), "no such area");
  }

  /** Return what the pool holds. */
  public PoolStatistics statistics() {
    PoolStatistics sum = PoolStatistics.NONE;
    for (int i = 0; i < areas.length(); i++) {
      SlotArea area = areas.getAcquire(i);
      if (area != null) {
        sum = sum.plus(new PoolStatistics(area.slots(), area.used(), area.highWater(), 1, i > stripeMask ? 1 : 0));
      }
    }
    return sum;
  }

  /** Give all memory back; slots that are still allocated are lost with it. */
  @Override
  public void close() {
    Closing closing = new Closing();
    synchronized (growing) {
      for (int i = 0; i < areas.length(); i++) {
        SlotArea area = areas.getAndSet(i, null);
        if (area != null) {
          closing.then(area::close);
        }
      }
    }
    closing.end();
  }
}
