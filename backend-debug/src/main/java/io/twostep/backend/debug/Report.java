package io.twostep.backend.debug;

import org.jspecify.annotations.Nullable;

/**
 * One broken rule.
 *
 * @param rule what was broken
 * @param device the device, as its address
 * @param first first byte concerned: a DMA or physical address, or an offset, as {@code detail} says
 * @param length bytes concerned; 0 where there is no range
 * @param detail what exactly happened
 * @param here where it happened; null without stack traces, and for accesses of a device
 * @param earlier where the mapping concerned was made, linked or torn down; null if that is not known
 */
public record Report(
    Rule rule, String device, long first, long length, String detail, @Nullable Origin here, @Nullable Origin earlier) {

  /** Return one line: rule, device, range in hex, what happened, what to do, and the rule of the contract. */
  public String headline() {
    return rule + ": " + device + (length == 0 ? "" : ": " + Hex.range(first, length)) + ": " + detail + "; " + rule.remedy() + " [" + rule.reference() + "]";
  }

  /** Return the headline and both stack traces, with at most {@code depth} frames each. */
  public String text(int depth) {
    StringBuilder out = new StringBuilder(headline());
    if (here != null) {
      out.append("\n  now: ");
      here.print(out, depth);
    }
    if (earlier != null) {
      out.append("\n  earlier: ");
      earlier.print(out, depth);
    }
    return out.toString();
  }

  @Override
  public String toString() {
    return headline();
  }
}
