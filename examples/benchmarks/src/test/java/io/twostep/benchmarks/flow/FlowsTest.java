package io.twostep.benchmarks.flow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
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

  /** Each is opened on the thread that it works for, and one that fails does not keep the others waiting. */
  @Test
  void failureOfOneWorkerEndsTheMeasurement() {
    List<Thread> openers = new CopyOnWriteArrayList<>();
    Flow flow = new FailingFlow(openers);

    assertThatThrownBy(() -> BRIEF.measure(new FlowCase("fails", FlowCase.VTD, 1, 1, 3), flow)).hasMessageContaining("worker 1 cannot go on");
    assertThat(openers).doesNotHaveDuplicates().hasSize(3).doesNotContain(Thread.currentThread());
  }

  private record FailingFlow(List<Thread> openers) implements Flow {
    @Override
    public Worker worker(int index, int workers) {
      openers.add(Thread.currentThread());
      return operations -> {
        if (index == 1) {
          throw new IllegalStateException("worker 1 cannot go on");
        }
        return operations;
      };
    }

    @Override
    public void close() {}
  }

  @Test
  void registrationTakesOneRangeOfAddressesWithOrWithoutAPeersPage() {
    assertThat(RegisterFlow.addressRanges(false)).isEqualTo(1);
    assertThat(RegisterFlow.addressRanges(true)).isEqualTo(1);
  }

  @Test
  void figuresOfOnDemandMemoryCountWhatBothSidesDo() {
    RdmaFigures figures = RdmaFigures.measure(new Turns(3, 1, 1));

    assertThat(figures.regionInvalidations()).isEqualTo(1);
    assertThat(figures.eachInvalidations()).isEqualTo(512);
    assertThat(figures.metadataBytesPerPage()).isEqualTo(0.25);
    assertThat(figures.addressRanges()).isEqualTo(figures.addressRangesWithPeer());
    assertThat(figures.faultRatio().lowest()).isPositive();
    assertThat(figures.registrationRatio().highest()).isGreaterThanOrEqualTo(figures.registrationRatio().median());
  }

  @Test
  void ratiosAreThoseOfTheSameRoundWithWhatWasNotMeasured() {
    Pair pair = new Pair(new double[] {10, 40, 20}, new double[] {30, 40, 80});

    assertThat(pair.ratio(0, 0)).isEqualTo(new Pair.Spread(3, 1, 4));
    assertThat(pair.ratio(10, 50)).isEqualTo(new Pair.Spread(4, 1.8, 130.0 / 30));
    assertThat(pair.one()).isEqualTo(new Pair.Spread(20, 10, 40));
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
