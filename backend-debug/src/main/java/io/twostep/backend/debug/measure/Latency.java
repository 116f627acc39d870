package io.twostep.backend.debug.measure;

/**
 * How long calls of one kind took, in nanoseconds; to two significant digits.
 *
 * @param count calls timed
 * @param median half of them took no longer
 * @param p99 99 of 100 took no longer
 * @param p999 999 of 1000 took no longer
 * @param max the longest
 */
public record Latency(long count, long median, long p99, long p999, long max) {}
