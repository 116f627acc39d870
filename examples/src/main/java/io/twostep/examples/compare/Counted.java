package io.twostep.examples.compare;

import java.util.List;

/**
 * What one pass over the buffers did, from nothing mapped to nothing mapped, registration included.
 *
 * @param ios requests
 * @param hardwareEntries DMA ranges the device was given
 * @param iovaAllocations ranges of I/O addresses that mappings took, from the allocator or what their handle kept
 * @param tableWrites words of page tables set, changed and cleared
 * @param tableBytes page table memory at its highest
 * @param invalidations invalidations the hardware was asked for
 * @param bouncedBytes bytes copied into and out of bounce slots
 * @param cleanedLines cache lines written back, or looked at for it, for a device that does not see CPU caches
 * @param metadataBytesPerPage heap bytes held for each further page of a mapped request
 * @param simulatedNanos what translation and invalidation cost the modelled hardware
 * @param first what the device was given for the first request
 */
public record Counted(
    long ios,
    long hardwareEntries,
    long iovaAllocations,
    long tableWrites,
    long tableBytes,
    long invalidations,
    long bouncedBytes,
    long cleanedLines,
    double metadataBytesPerPage,
    long simulatedNanos,
    List<Entry> first) {
  public Counted {
    first = List.copyOf(first);
  }
}
