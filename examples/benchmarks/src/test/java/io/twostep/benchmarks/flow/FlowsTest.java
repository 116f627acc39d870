package io.twostep.benchmarks.flow;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class FlowsTest {
  private static final FlowTimer BRIEF = new FlowTimer(3, 100_000, 1);

  /** The smallest case with one thread and the largest with two, of every flow and format. */
  static Stream<FlowCase> cases() {
    return Arrays.stream(Flows.values())
        .flatMap(flow -> flow.formats().stream().map(flow::cases))
        .flatMap(cases -> Stream.of(cases.getFirst(), cases.getLast()).distinct());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void everyFlowRunsAndClosesWhatItOpened(FlowCase of) throws InterruptedException {
    Flows flow = Arrays.stream(Flows.values()).filter(each -> each.text().equals(of.name())).findFirst().orElseThrow();

    FlowResult result = BRIEF.measure(flow, of);

    assertThat(result.of()).isEqualTo(of);
    assertThat(result.nanosPerOperation()).hasSize(3).allMatch(nanos -> nanos > 0);
  }

  @Test
  void registrationTakesOneRangeOfAddressesWithOrWithoutAPeersPage() {
    assertThat(RegisterFlow.addressRanges(false)).isEqualTo(1);
    assertThat(RegisterFlow.addressRanges(true)).isEqualTo(1);
  }

  @Test
  void everyTerminalRunsBelowEveryLayer() throws InterruptedException {
    assertThat(LayeredFlow.exercise(BRIEF)).isEqualTo(3 * 2);
  }

  @Test
  void requestsAreAlsoMeasuredWhereNothingTranslates() {
    assertThat(Arrays.stream(Flows.values()).filter(flow -> flow.formats().contains("direct"))).containsExactly(Flows.TRANSFER, Flows.MAP_SG);
  }

  @Test
  void resultKeepsItsRunsInOrderAndTheMedianBetweenThem() {
    FlowResult result = new FlowResult(new FlowCase("two_step", "vtd", 32, 32, 1), List.of(96.0, 32.0, 64.0, 640.0), 0);

    assertThat(result.median()).isEqualTo(80);
    assertThat(result.medianPerPage()).isEqualTo(2.5);
    assertThat(result.fastest()).isEqualTo(32);
    assertThat(result.slowest()).isEqualTo(640);
  }

  @Test
  void resultTravelsBetweenJvmsUnchanged() {
    FlowResult result = new FlowResult(new FlowCase("transfer", "amdv1", 8, 8, 2), List.of(1.25, 2.5), 0.125);

    assertThat(FlowResult.parse(result.line())).isEqualTo(result);
  }
}
