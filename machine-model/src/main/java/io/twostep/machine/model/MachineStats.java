package io.twostep.machine.model;

/**
 * What a machine did so far, and holds now.
 *
 * @param frames frames of RAM, 4 KiB each
 * @param framesInUse frames of open blocks
 * @param framesParked frames of closed blocks that wait for flushes
 * @param framesFree frames ready to be handed out
 * @param blocksMapped open blocks that a mapping holds; 0 before a machine is closed in order
 * @param tableReads items read by table walks for devices
 * @param iotlbHits device accesses, by page, that a translation cache answered
 * @param iotlbMisses device accesses that walked
 * @param publishes calls to publish
 * @param invalidations calls to invalidate
 * @param faults device accesses the IOMMU refused
 * @param unpublishedFaults the faults among them whose translation was linked but not published
 * @param staleAnswers answers of an adversarial cache that the tables no longer gave
 * @param strayAccesses device accesses, by page, to frames that no block owned, and table reads for devices there
 * @param refusedNotMaster device accesses refused because bus mastering was off, as it is until the driver turns it on and after a reset, or the function was gone
 * @param busReads reads by devices
 * @param busWrites writes by devices
 * @param bytesRead bytes asked for by reads of devices
 * @param bytesWritten bytes of writes by devices
 * @param mmioReads register reads by the CPU
 * @param mmioWrites register writes by the CPU
 * @param steps turns given to models
 * @param translationNanos simulated nanoseconds spent on translation
 */
public record MachineStats(
    long frames,
    long framesInUse,
    long framesParked,
    long framesFree,
    long blocksMapped,
    long tableReads,
    long iotlbHits,
    long iotlbMisses,
    long publishes,
    long invalidations,
    long faults,
    long unpublishedFaults,
    long staleAnswers,
    long strayAccesses,
    long refusedNotMaster,
    long busReads,
    long busWrites,
    long bytesRead,
    long bytesWritten,
    long mmioReads,
    long mmioWrites,
    long steps,
    long translationNanos) {}
