package io.twostep.device.nvme.host;

/**
 * Decide what the edges inside a request permit.
 *
 * <p>A gap mask is the OR, over every pair of neighbouring ranges, of the first one's end and the second one's start; neighbours that
 * touch add nothing. Boundaries are 2^k - 1, so only the mask's lowest bit counts in the end.
 */
public final class GapMask {
  private GapMask() {}

  /** Return what the edge between two neighbours adds: both addresses, or 0 if they touch. */
  public static long edge(long end, long start) {
    return end == start ? 0 : end | start;
  }

  /** Tell whether all inner edges lie on {@code boundaryMask + 1}; an all-ones boundary permits none. */
  public static boolean permits(long gapMask, long boundaryMask) {
    return (gapMask & boundaryMask) == 0;
  }
}
