package io.twostep.backend.debug;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes what is found: filters, counts, keeps the first, logs, and says what is to be thrown. Thread-safe. */
final class Reports {
  private static final Logger LOG = LoggerFactory.getLogger(DebugBackend.class);

  private final DebugConfig config;
  private final ConcurrentHashMap<Rule, Long> counts = new ConcurrentHashMap<>();
  private final List<Report> kept = new ArrayList<>();
  private long total;

  /** The first that could not be thrown where it happened; null if there is none. */
  private @Nullable Report unthrown;

  Reports(DebugConfig config) {
    this.config = config;
  }

  /** Take a stack trace, if they are wanted. */
  @Nullable Origin origin(String call) {
    return config.traces() ? new Origin(call) : null;
  }

  /** Report something that nobody needs to throw, or can: it was refused anyway, is done already, or must return. */
  void note(Rule rule, String device, long first, long length, String detail, @Nullable Origin earlier) {
    Report report = take(rule, device, first, length, detail, rule.group() == Rule.Group.DEVICE ? null : origin("found"), earlier);
    synchronized (this) {
      unthrown = unthrown == null ? report : unthrown;
    }
  }

  /** Report something before it has happened; throws if that is what was asked for. */
  void crime(Rule rule, String device, long first, long length, String detail, @Nullable Origin earlier) {
    Report report = take(rule, device, first, length, detail, origin("found"), earlier);
    if (report != null && config.onError() == OnError.THROW) {
      throw new CheckerException(report);
    }
  }

  private @Nullable Report take(
      Rule rule, String device, long first, long length, String detail, @Nullable Origin here, @Nullable Origin earlier) {
    if (config.ignore().contains(rule) || !isOfCaller(here)) {
      return null;
    }
    Report report = new Report(rule, device, first, length, detail, here, earlier);
    counts.merge(rule, 1L, Long::sum);
    boolean whole;
    synchronized (this) {
      total++;
      whole = kept.size() < config.limit();
      if (whole) {
        kept.add(report);
      }
    }
    if (config.onError() == OnError.LOG) {
      log(report, whole);
    }
    return report;
  }

  private void log(Report report, boolean whole) {
    if (whole) {
      LOG.error("{}", report.text(config.depth()));
    } else if (isPowerOfTwo(total())) {
      LOG.error("{} reports so far; the latest: {}", total(), report.headline());
    }
  }

  private static boolean isPowerOfTwo(long value) {
    return (value & (value - 1)) == 0;
  }

  private boolean isOfCaller(@Nullable Origin here) {
    if (config.caller().isEmpty() || here == null) {
      return true;
    }
    for (StackTraceElement frame : here.getStackTrace()) {
      if (frame.getClassName().startsWith(config.caller())) {
        return true;
      }
    }
    return false;
  }

  synchronized long total() {
    return total;
  }

  /** Return how many reports there were by rule, in the order of the rules; rules without any are missing. */
  Map<Rule, Long> counts() {
    EnumMap<Rule, Long> sorted = new EnumMap<>(Rule.class);
    sorted.putAll(counts);
    return Collections.unmodifiableMap(sorted);
  }

  synchronized List<Report> kept() {
    return List.copyOf(kept);
  }

  /** Throw what could not be thrown where it happened, the first of it. */
  void throwTheRest() {
    Report first;
    synchronized (this) {
      first = unthrown;
    }
    if (config.onError() == OnError.THROW && first != null) {
      LOG.error("{}", first.text(config.depth()));
      throw new CheckerException(first);
    }
  }
}
