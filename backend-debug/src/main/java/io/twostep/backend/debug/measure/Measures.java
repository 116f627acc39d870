package io.twostep.backend.debug.measure;

import java.util.Map;

/**
 * What was counted and timed until now.
 *
 * @param maps ranges mapped by themselves
 * @param reservations windows reserved
 * @param links ranges linked
 * @param bytes bytes that became usable: mapped by themselves, or published in a window, as often as that was done
 * @param bouncedBytes bytes of mappings and windows that are bounced, wholly or in part
 * @param syncs moves of ownership, {@code publish} not counted
 * @param teardowns mappings and windows torn down
 * @param failures calls that threw
 * @param latencies of the calls that were timed; kinds of which none was are missing
 */
public record Measures(
    long maps,
    long reservations,
    long links,
    long bytes,
    long bouncedBytes,
    long syncs,
    long teardowns,
    long failures,
    Map<Call, Latency> latencies) {}
