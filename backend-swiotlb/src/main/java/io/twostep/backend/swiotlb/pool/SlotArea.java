package io.twostep.backend.swiotlb.pool;

import io.twostep.dma.MemoryBlock;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * One contiguous piece of slot memory behind one lock.
 *
 * <p>Slots are bits in sets of 64. Every set is filed by the longest run it has free, so that the best fit is found by looking at the files and not at the sets. What fits one
 * set stays in one; what does not begins in the first place of a set that its rules allow and runs on over whole sets.
 */
final class SlotArea extends SpinLock {
  /** No run of free slots fits. */
  static final int NONE = -1;

  /** Another thread is in the area. */
  static final int BUSY = -2;

  private static final int SET = Long.SIZE;

  private final MemoryBlock memory;
  private final MemorySegment view;
  private final long phys;
  private final long bytes;
  private final int sets;
  private final long[] free;
  private final byte[] longest;
  private final long[] files;
  private final int fileWords;
  private final int[] allocated;

  /** Bit {@code n - 1}: some set's longest run is {@code n}. */
  private long present;

  private int used;
  private int highWater;

  /**
   * Takes over memory.
   *
   * @param bytes a power of two of at least one set, to which the memory is aligned
   */
  SlotArea(MemoryBlock memory, long bytes) {
    this.memory = memory;
    this.bytes = bytes;
    view = memory.segment();
    phys = memory.phys(0);
    int slots = (int) (bytes >>> SlotRules.SLOT_SHIFT);
    sets = slots / SET;
    free = new long[sets];
    longest = new byte[sets];
    fileWords = (sets + Long.SIZE - 1) / Long.SIZE;
    files = new long[(SET + 1) * fileWords];
    allocated = new int[slots];
    Arrays.fill(free, -1L);
    for (int set = 0; set < sets; set++) {
      file(set);
    }
  }

  MemorySegment view() {
    return view;
  }

  long phys() {
    return phys;
  }

  /** Takes the slots of a buffer and returns the first, or {@link #NONE}. */
  int allocate(SlotRules rules, long length, long low) {
    lock();
    return allocateAndUnlock(rules, length, low);
  }

  /** Takes the slots of a buffer and returns the first, {@link #NONE}, or {@link #BUSY} rather than wait. */
  int tryAllocate(SlotRules rules, long length, long low) {
    return tryLock() ? allocateAndUnlock(rules, length, low) : BUSY;
  }

  private int allocateAndUnlock(SlotRules rules, long length, long low) {
    try {
      return allocateLocked(rules, length, low);
    } finally {
      unlock();
    }
  }

  private int allocateLocked(SlotRules rules, long length, long low) {
    int count = (int) (rules.bytes(length, low) >>> SlotRules.SLOT_SHIFT);
    int residue = rules.residue(low);
    boolean bounded = rules.isBounded(length, low, bytes);
    int inSet = residue & SET - 1;
    int first =
        inSet + count <= SET
            ? findInSet(rules, count, residue, bounded, length, low)
            : findAcross(rules, count, residue, bounded, length, low);
    if (first != NONE) {
      take(first, count);
    }
    return first;
  }

  /** Finds a run within one set, in the fullest set that has one. */
  private int findInSet(SlotRules rules, int count, int residue, boolean bounded, long length, long low) {
    int stride = rules.stride();
    long places = rules.places() << residue;
    int setMask = stride > SET ? stride / SET - 1 : 0;
    int setResidue = residue / SET;
    long classes = present & -1L << (count - 1);
    while (classes != 0) {
      int file = (Long.numberOfTrailingZeros(classes) + 1) * fileWords;
      for (int word = 0; word < fileWords; word++) {
        for (long filed = files[file + word]; filed != 0; filed &= filed - 1) {
          int set = word * Long.SIZE + Long.numberOfTrailingZeros(filed);
          if ((set & setMask) == setResidue) {
            long starts = FreeRuns.starts(free[set], count) & places;
            int found = firstUncrossed(rules, set, starts, bounded, length, low);
            if (found != NONE) {
              return found;
            }
          }
        }
      }
      classes &= classes - 1;
    }
    return NONE;
  }

  private static int firstUncrossed(SlotRules rules, int set, long starts, boolean bounded, long length, long low) {
    for (long left = starts; left != 0; left &= left - 1) {
      int slot = set * SET + Long.numberOfTrailingZeros(left);
      if (!bounded || !rules.crosses(((long) slot << SlotRules.SLOT_SHIFT) + rules.lead(low), length)) {
        return slot;
      }
    }
    return NONE;
  }

  /** Finds a run over several sets, passing over those that cannot be part of it. */
  private int findAcross(SlotRules rules, int count, int residue, boolean bounded, long length, long low) {
    int setStride = Math.max(1, rules.stride() / SET);
    int inSet = residue & SET - 1;
    int set = residue / SET;
    while ((long) set * SET + inSet + count <= (long) sets * SET) {
      int first = set * SET + inSet;
      int obstacle = firstObstacle(first, count);
      if (obstacle == NONE) {
        if (!bounded || !rules.crosses(((long) first << SlotRules.SLOT_SHIFT) + rules.lead(low), length)) {
          return first;
        }
        obstacle = set;
      }
      // A set with a taken slot may still be the first one, behind that slot.
      set += setStride * Math.max(1, (obstacle - set) / setStride);
    }
    return NONE;
  }

  /** Returns the set that keeps a run from being free, or {@link #NONE}. */
  private int firstObstacle(int first, int count) {
    int set = first / SET;
    int from = first & SET - 1;
    int left = count;
    while (left > 0) {
      int here = Math.min(left, SET - from);
      long mask = FreeRuns.mask(from, here);
      if ((free[set] & mask) != mask) {
        return set;
      }
      left -= here;
      from = 0;
      set++;
    }
    return NONE;
  }

  private void take(int first, int count) {
    allocated[first] = count;
    used += count;
    highWater = Math.max(highWater, used);
    flip(first, count);
  }

  /**
   * Gives back the slots of the allocation that begins at {@code first}, and returns how many they were.
   *
   * @throws IllegalStateException if none begins there
   */
  int free(int first) {
    lock();
    try {
      int count = allocated[first];
      if (count == 0) {
        throw new IllegalStateException("no slots are allocated at 0x" + Long.toHexString(phys + ((long) first << SlotRules.SLOT_SHIFT)));
      }
      allocated[first] = 0;
      used -= count;
      flip(first, count);
      return count;
    } finally {
      unlock();
    }
  }

  private void flip(int first, int count) {
    int set = first / SET;
    int from = first & SET - 1;
    int left = count;
    while (left > 0) {
      int here = Math.min(left, SET - from);
      free[set] ^= FreeRuns.mask(from, here);
      file(set);
      left -= here;
      from = 0;
      set++;
    }
  }

  /** Files a set anew by its longest run. */
  private void file(int set) {
    int before = longest[set];
    int now = FreeRuns.longest(free[set]);
    if (before == now) {
      return;
    }
    longest[set] = (byte) now;
    int word = set / Long.SIZE;
    long bit = 1L << set;
    if (before != 0) {
      files[before * fileWords + word] &= ~bit;
      if (isEmpty(before)) {
        present &= ~(1L << (before - 1));
      }
    }
    if (now != 0) {
      files[now * fileWords + word] |= bit;
      present |= 1L << (now - 1);
    }
  }

  private boolean isEmpty(int file) {
    for (int word = file * fileWords; word < (file + 1) * fileWords; word++) {
      if (files[word] != 0) {
        return false;
      }
    }
    return true;
  }

  int used() {
    lock();
    try {
      return used;
    } finally {
      unlock();
    }
  }

  int highWater() {
    lock();
    try {
      return highWater;
    } finally {
      unlock();
    }
  }

  int slots() {
    return allocated.length;
  }

  /** Gives the memory back. */
  void close() {
    memory.close();
  }
}
