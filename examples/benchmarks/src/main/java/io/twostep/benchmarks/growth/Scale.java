package io.twostep.benchmarks.growth;

import io.twostep.benchmarks.flow.FlowTimer;

/**
 * How far studies go.
 *
 * @param timer how long they measure a point
 * @param mostPages pages of the largest request
 * @param mostLive most of what is live at once
 * @param mostThreads threads at once
 * @param mostOperations age of the oldest allocator
 * @param mostMemory bytes of the largest RAM
 */
record Scale(FlowTimer timer, int mostPages, int mostLive, int mostThreads, long mostOperations, long mostMemory) {
  static final Scale FULL = new Scale(new FlowTimer(5, 40_000_000L, 400_000_000L), 4096, 10_000_000, 8, 1_000_000_000L, 1L << 40);
}
