package io.twostep.examples.nvme;

/**
 * What one stack and one strategy did with the file; every figure was counted or measured in the run.
 *
 * @param stack the stack, and its flush policy where it has one
 * @param strategy how requests were mapped
 * @param verified whether every byte came back
 * @param ios requests to store and to read the file
 * @param hardwareEntries DMA ranges handed to the controller
 * @param iovaAllocations ranges of I/O addresses that mappings took, from the allocator or what their handle kept
 * @param tableWrites words of page tables set, changed and cleared; {@link #NOT_COUNTED} where a host keeps them
 * @param invalidations invalidations the hardware was asked for; {@link #NOT_COUNTED} where a host asks for them
 * @param bouncedBytes bytes copied into and out of bounce slots
 * @param metadataBytesPerPage heap bytes the strategy holds for each further 4 KiB page of a mapped request
 * @param nanosPerIo mean time of a request on a warm path, in the quickest of several batches, the device included
 * @param heapBytesPerIo heap bytes allocated for a request on a warm path, a modelled device included
 * @param checker what the checker found, in one line; empty if it was not in the stack
 */
public record RunResult(
    String stack,
    Strategy strategy,
    boolean verified,
    long ios,
    long hardwareEntries,
    long iovaAllocations,
    long tableWrites,
    long invalidations,
    long bouncedBytes,
    double metadataBytesPerPage,
    double nanosPerIo,
    double heapBytesPerIo,
    String checker) {
  /** In the place of a count that nobody here can take. */
  public static final long NOT_COUNTED = -1;

  RunResult withChecker(String verdict) {
    return new RunResult(
        stack,
        strategy,
        verified,
        ios,
        hardwareEntries,
        iovaAllocations,
        tableWrites,
        invalidations,
        bouncedBytes,
        metadataBytesPerPage,
        nanosPerIo,
        heapBytesPerIo,
        verdict);
  }

  RunResult with(WarmTimes times) {
    return new RunResult(
        stack,
        strategy,
        verified,
        ios,
        hardwareEntries,
        iovaAllocations,
        tableWrites,
        invalidations,
        bouncedBytes,
        metadataBytesPerPage,
        times.nanosPerIo(),
        times.heapBytesPerIo(),
        checker);
  }
}
