package io.twostep.benchmarks.flow;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CheckerCostTest {
  @Test
  void bothSidesMapAndOnlyOneIsCounted() {
    CheckerCost cost = CheckerCost.measure(64, 3, 200_000);
    assertThat(cost.nanosWithout()).isPositive();
    assertThat(cost.nanosWith()).isPositive();
    assertThat(cost.percent()).isBetween(cost.lowestPercent(), cost.highestPercent());
    assertThat(cost.counted()).as("ranges of at least one request in each round").isGreaterThanOrEqualTo(3);
  }
}
