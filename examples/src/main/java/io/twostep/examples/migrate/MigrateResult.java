package io.twostep.examples.migrate;

import io.twostep.device.vfio.migrate.Progress;

/**
 * What a migration did.
 *
 * @param verified whether the guest runs where it has to, no page and no command of it lost; after an abort, that is the source
 * @param aborted whether it was cancelled
 * @param progress what was sent, and how long the guest stood still
 * @param listBytesPerPage bytes of page lists for each page that device state went through
 * @param iovaAllocations ranges of I/O addresses taken on both machines
 * @param invalidations times that the IOMMUs of both had to forget translations
 * @param trackedBy who noted what the devices wrote
 * @param commands commands that the devices completed
 */
public record MigrateResult(
    boolean verified, boolean aborted, Progress progress, double listBytesPerPage, long iovaAllocations, long invalidations, String trackedBy, long commands) {}
