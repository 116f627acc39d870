package io.twostep.benchmarks.flow;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CheckerCostTest {
  @Test
  void bothSidesMapAndOnlyOneIsCounted() {
    CheckerCost cost = CheckerCost.measure(64, new Turns(3, 1, 1));
    assertThat(cost.costs().one().lowest()).isNotNegative();
    assertThat(cost.costs().rounds()).isEqualTo(3);
    assertThat(cost.percent().median()).isBetween(cost.percent().lowest(), cost.percent().highest());
    assertThat(cost.counted()).as("ranges of at least one request in each round").isGreaterThanOrEqualTo(3);
  }
}
