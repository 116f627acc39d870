package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Maps of memory by I/O address, in arrays sorted by it: to find, add or remove one allocates nothing, but now and then to have more room.
 *
 * <p>A run is known by its index, which holds until runs are added or removed. Not thread-safe.
 */
public final class DmaRuns {
  private long[] iovas = new long[16];
  private long[] lengths = new long[16];
  private int[] accesses = new int[16];
  private @Nullable MemorySegment[] memories = new @Nullable MemorySegment[16];
  private long[] offsets = new long[16];
  private int count;

  /** Return how many there are. */
  public int count() {
    return count;
  }

  /**
   * Add a run; returns false, and changes nothing, if it overlaps another.
   *
   * @param access {@link DmaMap#READ}, {@link DmaMap#WRITE}
   * @param memory holds its bytes from {@code offset} on; null if the other end keeps them
   */
  public boolean tryAdd(long iova, long length, int access, @Nullable MemorySegment memory, long offset) {
    int before = floor(iova + (length - 1));
    if (before >= 0 && Long.compareUnsigned(last(before), iova) >= 0) {
      return false;
    }
    if (count == iovas.length) {
      grow();
    }
    int run = before + 1;
    shift(run, run + 1);
    iovas[run] = iova;
    lengths[run] = length;
    accesses[run] = access;
    memories[run] = memory;
    offsets[run] = offset;
    count++;
    return true;
  }

  /** Remove a run. */
  public void remove(int run) {
    shift(run + 1, run);
    memories[--count] = null;
  }

  /** Remove all. */
  public void clear() {
    Arrays.fill(memories, 0, count, null);
    count = 0;
  }

  /** Return the run that holds an I/O address, -1 if none does. */
  public int at(long iova) {
    int run = floor(iova);
    return run >= 0 && Long.compareUnsigned(iova, last(run)) <= 0 ? run : -1;
  }

  /** Return the run that begins at an I/O address, -1 if none does. */
  public int beginningAt(long iova) {
    int run = floor(iova);
    return run >= 0 && iovas[run] == iova ? run : -1;
  }

  /** Return the first I/O address. */
  public long iova(int run) {
    return iovas[run];
  }

  /** Return the bytes. */
  public long length(int run) {
    return lengths[run];
  }

  /** Tell whether the device may access it so. */
  public boolean allows(int run, int access) {
    return (accesses[run] & access) != 0;
  }

  /** Return what holds the bytes, null if the other end does. */
  public @Nullable MemorySegment memory(int run) {
    return memories[run];
  }

  /** Return where the run begins in what holds its bytes. */
  public long offset(int run) {
    return offsets[run];
  }

  private long last(int run) {
    return iovas[run] + (lengths[run] - 1);
  }

  /** Returns the run with the highest address up to {@code iova}, -1 if there is none. */
  private int floor(long iova) {
    int low = 0;
    int high = count;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(iovas[middle], iova) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - 1;
  }

  private void shift(int from, int to) {
    int moved = count - from;
    System.arraycopy(iovas, from, iovas, to, moved);
    System.arraycopy(lengths, from, lengths, to, moved);
    System.arraycopy(accesses, from, accesses, to, moved);
    System.arraycopy(memories, from, memories, to, moved);
    System.arraycopy(offsets, from, offsets, to, moved);
  }

  private void grow() {
    int room = 2 * count;
    iovas = Arrays.copyOf(iovas, room);
    lengths = Arrays.copyOf(lengths, room);
    accesses = Arrays.copyOf(accesses, room);
    memories = Arrays.copyOf(memories, room);
    offsets = Arrays.copyOf(offsets, room);
  }
}
