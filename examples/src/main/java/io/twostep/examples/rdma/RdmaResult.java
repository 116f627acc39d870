package io.twostep.examples.rdma;

/**
 * What came of a file in one mode; every figure was counted or measured in the run.
 *
 * @param mode how memory was made known to the adapters
 * @param stack the mapping stack of both hosts
 * @param verified whether every byte arrived and came back, in every pass, and no adapter reached memory that was not its to reach
 * @param passes how often the file was moved there and back
 * @param pages pages of the file moved, there and back, in all passes
 * @param events page events: pages brought in, copied, moved, swapped out or unmapped in both processes
 * @param faults page faults of the adapters
 * @param invalidationEvents changes of pages that both processes announced
 * @param retries how often a fault had to look at pages again because they had changed meanwhile
 * @param iovaAllocations ranges of I/O addresses that mappings took, from the allocators or what their handle kept
 * @param invalidations times the IOMMUs had to forget translations
 * @param metadataBytesPerPage heap bytes kept for each registered page beside the I/O page table
 * @param nanosPerFaultedPage processor time of one thread to make a page reachable: to fault it in and link it, or in the mode pinned to pin, map and register it
 */
public record RdmaResult(
    RdmaMode mode,
    String stack,
    boolean verified,
    long passes,
    long pages,
    long events,
    long faults,
    long invalidationEvents,
    long retries,
    long iovaAllocations,
    long invalidations,
    double metadataBytesPerPage,
    double nanosPerFaultedPage) {}
