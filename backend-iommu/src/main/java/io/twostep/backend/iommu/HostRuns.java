package io.twostep.backend.iommu;

import java.util.Arrays;

/**
 * The runs of one reservation on a host-managed IOMMU, in order of I/O address: what is linked, and which of it the host has mapped.
 *
 * <p>Addresses and lengths are whole granules. Pure bookkeeping; not thread-safe; allocates nothing once it has grown.
 */
final class HostRuns {
  private static final long NOBODY = -1;

  private long[] iova = {};
  private long[] phys = {};
  private long[] length = {};
  private int[] access = {};

  /** Bytes of the run that the host may still translate; 0 for a run that is linked only. */
  private long[] mapped = {};

  /** Number of the call that had the host map the run; {@link #NOBODY} once the host was asked to unmap it and did not confirm all. */
  private long[] mappedBy = {};

  private int count;

  int count() {
    return count;
  }

  long iova(int run) {
    return iova[run];
  }

  long phys(int run) {
    return phys[run];
  }

  long length(int run) {
    return length[run];
  }

  int access(int run) {
    return access[run];
  }

  boolean isMapped(int run) {
    return mapped[run] != 0;
  }

  /** Notes that the host maps the whole run, by the call numbered {@code call}. */
  void setMapped(int run, long call) {
    mapped[run] = length[run];
    mappedBy[run] = call;
  }

  /** Tells whether the device reaches all of the run for certain. */
  boolean isUsable(int run) {
    return mapped[run] != 0 && mappedBy[run] != NOBODY;
  }

  /** Tells whether the host maps the run since that call. */
  boolean isMappedBy(int run, long call) {
    return mapped[run] != 0 && mappedBy[run] == call;
  }

  /** Notes that the host confirmed to have unmapped some bytes, and tells whether none are left. */
  boolean confirmUnmapped(int run, long bytes) {
    mapped[run] -= Math.clamp(bytes, 0, mapped[run]);
    mappedBy[run] = NOBODY;
    return mapped[run] == 0;
  }

  /** Returns the first run that ends at or behind {@code address}; {@link #count} if there is none. */
  int firstFrom(long address) {
    int low = 0;
    int high = count;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(iova[middle] + (length[middle] - 1), address) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** Tells whether a run touches [first, last]. */
  boolean overlaps(long first, long last) {
    int run = firstFrom(first);
    return run < count && Long.compareUnsigned(iova[run], last) <= 0;
  }

  /** Adds a run, which overlaps no other. */
  void add(long runIova, long runPhys, long runLength, int runAccess) {
    int at = firstFrom(runIova);
    if (count == iova.length) {
      grow();
    }
    move(at, at + 1, count - at);
    iova[at] = runIova;
    phys[at] = runPhys;
    length[at] = runLength;
    access[at] = runAccess;
    mapped[at] = 0;
    count++;
  }

  /** Forgets runs {@code from} to {@code to}, exclusive. */
  void remove(int from, int to) {
    move(to, from, count - to);
    count -= to - from;
  }

  private void move(int from, int to, int howMany) {
    System.arraycopy(iova, from, iova, to, howMany);
    System.arraycopy(phys, from, phys, to, howMany);
    System.arraycopy(length, from, length, to, howMany);
    System.arraycopy(access, from, access, to, howMany);
    System.arraycopy(mapped, from, mapped, to, howMany);
    System.arraycopy(mappedBy, from, mappedBy, to, howMany);
  }

  private void grow() {
    int capacity = Math.max(4, count * 2);
    iova = Arrays.copyOf(iova, capacity);
    phys = Arrays.copyOf(phys, capacity);
    length = Arrays.copyOf(length, capacity);
    access = Arrays.copyOf(access, capacity);
    mapped = Arrays.copyOf(mapped, capacity);
    mappedBy = Arrays.copyOf(mappedBy, capacity);
  }
}
