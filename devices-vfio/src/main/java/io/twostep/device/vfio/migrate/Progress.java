package io.twostep.device.vfio.migrate;

/**
 * How far a source has come.
 *
 * @param phase where it stands
 * @param rounds rounds of copying that were begun
 * @param precopyBytes bytes sent while the guest ran
 * @param stopCopyBytes bytes sent while it stood still
 * @param dirtyPages pages that were written while they were copied, each time counted
 * @param remainingPages pages of this round that are still to be sent
 * @param downtimeNanos how long the guest has stood still, or stood in all
 */
public record Progress(Phase phase, int rounds, long precopyBytes, long stopCopyBytes, long dirtyPages, long remainingPages, long downtimeNanos) {}
