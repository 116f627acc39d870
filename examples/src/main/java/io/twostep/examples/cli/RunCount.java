package io.twostep.examples.cli;

/** Says in words of how many runs something holds. */
final class RunCount {
  private RunCount() {}

  /** Return "all 27 runs", or "the only run". */
  static String all(int runs) {
    return runs == 1 ? "the only run" : "all " + runs + " runs";
  }
}
