package io.twostep.tck;

/** How long the kit works: {@code -Dtwostep.tck.scale=10} runs ten times the histories and rounds of the default. */
final class TckScale {
  private TckScale() {}

  static int factor() {
    return Math.max(1, Integer.getInteger("twostep.tck.scale", 1));
  }
}
