package io.twostep.machine.model;

/**
 * What the hardware of one address space did so far.
 *
 * @param tableReads items read by walks on behalf of devices
 * @param hits accesses answered by a cache
 * @param misses accesses that walked
 * @param publishes calls to publish
 * @param invalidations calls to invalidate
 * @param faults accesses refused
 * @param unpublished the faults among them whose translation was linked but not published
 * @param staleAnswers answers from the past that the tables no longer gave, adversarial mode only
 * @param simulatedNanos simulated time spent
 */
public record IommuStats(
    long tableReads,
    long hits,
    long misses,
    long publishes,
    long invalidations,
    long faults,
    long unpublished,
    long staleAnswers,
    long simulatedNanos) {}
