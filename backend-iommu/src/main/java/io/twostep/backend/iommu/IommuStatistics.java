package io.twostep.backend.iommu;

/**
 * What the backend holds now, over all its address spaces; exact while nothing is mapped or unmapped.
 *
 * @param addressSpaces address spaces with a device attached
 * @param liveRanges ranges of I/O addresses that are handed out, those that wait for a flush or are quarantined among them
 * @param liveBytes bytes of those
 * @param deferredRanges ranges among them that wait for a flush
 * @param tableBytes page table memory in use, roots included
 * @param flushes flushes of the lazy policy so far
 * @param leaks ranges that were still handed out when the last device of their address space detached, so far
 * @param tableWrites words of page tables set, changed and cleared so far, by address spaces that count them; zeros over what is empty do not count
 */
public record IommuStatistics(
    int addressSpaces, long liveRanges, long liveBytes, long deferredRanges, long tableBytes, long flushes, long leaks, long tableWrites) {
  static final IommuStatistics NONE = new IommuStatistics(0, 0, 0, 0, 0, 0, 0, 0);

  IommuStatistics plus(IommuStatistics other) {
    return new IommuStatistics(
        addressSpaces + other.addressSpaces,
        liveRanges + other.liveRanges,
        liveBytes + other.liveBytes,
        deferredRanges + other.deferredRanges,
        tableBytes + other.tableBytes,
        flushes + other.flushes,
        leaks + other.leaks,
        tableWrites + other.tableWrites);
  }
}
