package io.twostep.device.vfio.model;

import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;

/** The pages of the guest that the device wrote and has not reported; of bounded size. Off until it is started. */
final class WriteLog {
  private final int capacity;
  private final LinkedHashSet<Long> pages = new LinkedHashSet<>();
  private long[] ranges = {};
  private long pageSize;
  private boolean overflow;

  WriteLog(int capacity) {
    this.capacity = capacity;
  }

  /** Start clean; {@code ranges} are first guest addresses and bytes in turn. */
  void start(long pageSize, long[] ranges) {
    stop();
    this.pageSize = pageSize;
    this.ranges = ranges;
  }

  void stop() {
    pageSize = 0;
    ranges = new long[0];
    pages.clear();
    overflow = false;
  }

  boolean isOn() {
    return pageSize != 0;
  }

  boolean overflowed() {
    return overflow;
  }

  /** Note a write before it is made. */
  void note(long address, long length) {
    if (!isOn()) {
      return;
    }
    long last = address + length - 1;
    for (int i = 0; i < ranges.length; i += 2) {
      long from = Math.max(address, ranges[i]);
      long to = Math.min(last, ranges[i] + ranges[i + 1] - 1);
      if (from <= to) {
        addAll(from & -pageSize, to & -pageSize);
      }
    }
  }

  private void addAll(long first, long last) {
    for (long page = first; ; page += pageSize) {
      add(page);
      if (page == last) {
        return;
      }
    }
  }

  private void add(long page) {
    if (overflow) {
      return;
    }
    if (pages.size() == capacity && !pages.contains(page)) {
      overflow = true;
      pages.clear();
      return;
    }
    pages.add(page);
  }

  /** Forget the overflow once it is reported. */
  void clearOverflow() {
    overflow = false;
  }

  /** Take a page that touches the range out of the log; -1 if none does. */
  long take(long first, long length) {
    for (Iterator<Long> each = pages.iterator(); each.hasNext(); ) {
      long page = each.next();
      if (touches(page, first, length)) {
        each.remove();
        return page;
      }
    }
    return -1;
  }

  /** Note again what was taken and came to nobody. */
  void putBack(List<Long> taken) {
    taken.forEach(this::add);
  }

  boolean hasAny(long first, long length) {
    return pages.stream().anyMatch(page -> touches(page, first, length));
  }

  private boolean touches(long page, long first, long length) {
    return first - page < pageSize && page - first < length;
  }
}
