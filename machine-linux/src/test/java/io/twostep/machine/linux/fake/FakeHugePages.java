package io.twostep.machine.linux.fake;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.SystemCallException;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/** Pages that were set aside, by size, as flags of a mapping ask for them. */
final class FakeHugePages {
  private static final int SIZE_SHIFT = 26;
  private static final int SIZE_MASK = 0x3f;

  private record Taken(int shift, long pages) {}

  private final Map<Integer, Long> free = new TreeMap<>();
  private final Map<Long, Taken> taken = new HashMap<>();

  /** Set pages of {@code 1 << shift} bytes aside; a size that was never named is one that the processor has not. */
  synchronized void setAside(int shift, long pages) {
    free.put(shift, pages);
  }

  /** Check that flags ask for a size that there is. */
  synchronized void requireSize(String call, String subject, int flags, int errno) {
    if (!free.containsKey(shift(flags))) {
      throw new SystemCallException(call, subject, errno);
    }
  }

  /** Take the pages of a mapping, before it is made. */
  synchronized void take(long length, int flags) {
    requireSize("mmap", length + " bytes", flags, Errno.EINVAL);
    long pages = length >> shift(flags);
    long left = free.get(shift(flags)) - pages;
    if (left < 0) {
      throw new SystemCallException("mmap", length + " bytes", Errno.ENOMEM);
    }
    free.put(shift(flags), left);
  }

  /** Remember whose the pages are. */
  synchronized void own(long address, long length, int flags) {
    taken.put(address, new Taken(shift(flags), length >> shift(flags)));
  }

  /** Give the pages of a mapping back, if it had any. */
  synchronized void giveBack(long address) {
    Taken back = taken.remove(address);
    if (back != null) {
      free.merge(back.shift, back.pages, Long::sum);
    }
  }

  private static int shift(int flags) {
    return flags >>> SIZE_SHIFT & SIZE_MASK;
  }
}
