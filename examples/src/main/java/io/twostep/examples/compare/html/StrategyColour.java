package io.twostep.examples.compare.html;

import io.twostep.examples.compare.MapStrategy;

/** The colour of a strategy, the same in all pictures of a report. */
final class StrategyColour {
  private StrategyColour() {}

  static int of(MapStrategy strategy) {
    return switch (strategy) {
      case PER_PAGE -> 0;
      case SCATTER_LIST -> 1;
      case TWO_STEP -> 2;
      case LAZY -> 3;
      case BOUNCE -> 4;
      case REGISTERED -> 5;
    };
  }
}
