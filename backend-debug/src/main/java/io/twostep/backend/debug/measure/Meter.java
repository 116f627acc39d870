package io.twostep.backend.debug.measure;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.HdrHistogram.AtomicHistogram;

/** Counts and times the calls of all devices of one checker. Thread-safe. */
public final class Meter {
  private static final long LONGEST_NANOS = 60_000_000_000L;
  private static final int DIGITS = 2;

  private final Map<Call, AtomicHistogram> histograms = new EnumMap<>(Call.class);
  private final Set<Counters> open = new HashSet<>();
  private final Counters closed = new Counters();
  private final int sample;

  /**
   * Create a meter that has measured nothing.
   *
   * @param sample one call in so many is timed, rounded up to a power of two; 0 for none
   */
  public Meter(int sample) {
    this.sample = sample;
    for (Call call : Call.values()) {
      histograms.put(call, new AtomicHistogram(LONGEST_NANOS, DIGITS));
    }
  }

  /** Measure a device's calls of {@code next}. */
  public DmaOps attach(DmaOps next, AttachContext context) {
    Counters counters = new Counters();
    synchronized (open) {
      open.add(counters);
    }
    return new CountingOps(next, context, this, counters, sample);
  }

  void timed(Call call, long nanos) {
    AtomicHistogram histogram = histograms.get(call);
    if (histogram != null) {
      histogram.recordValue(Math.clamp(nanos, 0, LONGEST_NANOS));
    }
  }

  void close(Counters counters) {
    synchronized (open) {
      if (open.remove(counters)) {
        closed.addAll(counters);
      }
    }
  }

  /** Return what was counted and timed until now. */
  public Measures snapshot() {
    Counters sum = new Counters();
    synchronized (open) {
      sum.addAll(closed);
      open.forEach(sum::addAll);
    }
    Map<Call, Latency> latencies = new EnumMap<>(Call.class);
    histograms.forEach(
        (call, live) -> {
          AtomicHistogram histogram = live.copy();
          if (histogram.getTotalCount() != 0) {
            latencies.put(
                call,
                new Latency(
                    histogram.getTotalCount(),
                    histogram.getValueAtPercentile(50),
                    histogram.getValueAtPercentile(99),
                    histogram.getValueAtPercentile(99.9),
                    histogram.getMaxValue()));
          }
        });
    return new Measures(
        sum.sum(Counters.MAP),
        sum.sum(Counters.RESERVE),
        sum.sum(Counters.RANGES),
        sum.sum(Counters.BYTES),
        sum.sum(Counters.BOUNCED),
        sum.sum(Counters.SYNC),
        sum.sum(Counters.TEARDOWN),
        sum.sum(Counters.FAILURES),
        Collections.unmodifiableMap(latencies));
  }
}
