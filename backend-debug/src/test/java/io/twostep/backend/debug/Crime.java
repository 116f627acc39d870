package io.twostep.backend.debug;

import io.twostep.backend.debug.BrokenLayer.Fault;
import java.util.Set;

/**
 * One way to break one rule.
 *
 * @param rule what must be reported
 * @param grounds where it can be done
 * @param fault what the layer below the checker does wrong, once the crime begins it
 * @param deed the crime; says what a report must name
 */
record Crime(Rule rule, Set<Ground> grounds, Fault fault, Deed deed) {
  /** Breaks the rule in a history, and says what it did. */
  @FunctionalInterface
  interface Deed {
    Evidence commit(HonestHistory history);
  }

  /**
   * What was done, by who did it.
   *
   * @param device the device concerned
   * @param first first byte concerned, as the report is to have it
   * @param length bytes concerned; 0 for none
   * @param exact whether the report has this range, or one around it
   */
  record Evidence(String device, long first, long length, boolean exact) {
    /** As far as parts that are summed together reach. */
    private static final long AROUND = 64;

    static Evidence range(Driver driver, long first, long length) {
      return new Evidence(driver.address(), first, length, true);
    }

    static Evidence none(Driver driver) {
      return range(driver, 0, 0);
    }

    static Evidence of(Live live) {
      return range(live.driver, live.dmaAddress, live.length);
    }

    /** A byte that changed where a report may name its neighbours, too. */
    static Evidence around(Driver driver, long at) {
      return new Evidence(driver.address(), at, 1, false);
    }

    boolean isNamedBy(Report report) {
      if (!report.device().equals(device)) {
        return false;
      }
      return exact
          ? report.first() == first && report.length() == length
          : Long.compareUnsigned(first - report.first(), report.length()) < 0 && report.length() <= AROUND;
    }
  }

  static Crime of(Rule rule, Set<Ground> grounds, Deed deed) {
    return new Crime(rule, grounds, Fault.NONE, deed);
  }

  /** Tell whether drivers and devices can go on after it as if nothing had happened. */
  boolean leavesWhole() {
    return rule.group() != Rule.Group.STACK && fault == Fault.NONE;
  }

  @Override
  public String toString() {
    return rule + (fault == Fault.NONE ? "" : " by " + fault);
  }
}
