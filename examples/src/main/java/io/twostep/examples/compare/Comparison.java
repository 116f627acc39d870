package io.twostep.examples.compare;

import java.util.List;

/**
 * What every strategy cost on every stack, for requests of one size.
 *
 * @param layout the buffers
 * @param ioSize bytes of a request
 * @param costs one for each stack and strategy that could map the buffers
 * @param refusals those that could not
 */
public record Comparison(Layout layout, long ioSize, List<StrategyCost> costs, List<Refusal> refusals) {
  public Comparison {
    costs = List.copyOf(costs);
    refusals = List.copyOf(refusals);
  }

  /** Return the cost of a strategy on a stack; null if it could not map the buffers. */
  public @org.jspecify.annotations.Nullable StrategyCost cost(StackKind stack, MapStrategy strategy) {
    for (StrategyCost cost : costs) {
      if (cost.of().stack() == stack && cost.of().strategy() == strategy) {
        return cost;
      }
    }
    return null;
  }
}
