package io.twostep.backend.debug;

import io.twostep.backend.debug.measure.Measures;
import java.util.Locale;
import java.util.Map;

/**
 * What the checker saw until now.
 *
 * @param followed mappings and windows followed since the layer was made
 * @param live mappings and windows that live now
 * @param entries mappings, windows and links held in memory now
 * @param reports broken rules, those not kept included
 * @param byRule reports by rule; rules without any are missing
 * @param ended whether checking ended for lack of room
 * @param measures what was counted and timed
 */
public record DebugStatistics(
    long followed, int live, int entries, long reports, Map<Rule, Long> byRule, boolean ended, Measures measures) {
  /** Return one line for people. */
  public String verdict() {
    return String.format(Locale.ROOT, "checker: %,d mappings followed, %,d reports", followed, reports)
        + (byRule.isEmpty() ? "" : " " + byRule)
        + (ended ? "; checking ended early" : "");
  }
}
