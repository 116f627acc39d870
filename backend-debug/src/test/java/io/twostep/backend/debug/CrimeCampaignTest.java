package io.twostep.backend.debug;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.debug.BrokenLayer.Fault;
import io.twostep.backend.debug.Crime.Evidence;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Crimes at random places of random histories: the checker must name the one that was committed, by rule, device and range, and be silent about all the rest.
 *
 * <p>{@code -Dtwostep.rounds=100} runs a hundred times as many histories as a build does; {@code -Dtwostep.seed=} begins with the one that failed.
 */
class CrimeCampaignTest {
  private static final long SEED = Long.getLong("twostep.seed", 20_261_121L);
  private static final int ROUNDS = Integer.getInteger("twostep.rounds", 1);
  private static final int STEPS = 40;

  @ParameterizedTest
  @EnumSource(Ground.class)
  void whatIsRightIsNotReported(Ground ground) {
    for (long seed = SEED; seed < SEED + 2L * ROUNDS; seed++) {
      try (HonestHistory history = new HonestHistory(ground, new BrokenLayer(Fault.NONE), new Random(seed))) {
        for (int i = 0; i < 10 * STEPS; i++) {
          history.step();
          assertThat(history.rig.reports()).as("-Dtwostep.seed=%d, step %d", seed, i).isEmpty();
        }
        history.finish();
        assertThat(history.rig.reports()).as("-Dtwostep.seed=%d, at the end", seed).isEmpty();
        assertThat(history.rig.checker.statistics().live()).isZero();
        assertThat(history.rig.checker.statistics().entries()).isZero();
      }
    }
  }

  static Stream<Crime> crimes() {
    return Stream.of(CallerCrimes.all(), DataCrimes.all(), DeviceCrimes.all(), StackCrimes.all()).flatMap(all -> all);
  }

  @ParameterizedTest
  @MethodSource("crimes")
  void whatIsWrongIsReportedAndNothingElse(Crime crime) {
    for (long seed = SEED; seed < SEED + 2L * ROUNDS; seed++) {
      Random random = new Random(seed);
      Ground ground = List.copyOf(crime.grounds()).get(random.nextInt(crime.grounds().size()));
      String where = "-Dtwostep.seed=%d on %s".formatted(seed, ground);
      try (HonestHistory history = new HonestHistory(ground, new BrokenLayer(crime.fault()), random)) {
        steps(history);
        assertThat(history.rig.reports()).as("before, %s", where).isEmpty();
        Evidence evidence = crime.deed().commit(history);
        if (crime.leavesWhole()) {
          steps(history);
          history.finish();
          assertThat(history.rig.reports()).as("%s, %s", evidence, where).hasSize(1);
        }
        assertThat(history.rig.reports()).as("%s, %s", evidence, where).isNotEmpty();
        Report report = history.rig.reports().get(crime.rule() == Rule.BELOW_ACCEPTED_MISUSE ? 1 : 0);
        assertThat(report.rule()).as("%s, %s: %s", evidence, where, report).isEqualTo(crime.rule());
        assertThat(evidence.isNamedBy(report)).as("%s, %s: %s", evidence, where, report).isTrue();
      }
    }
  }

  private static void steps(HonestHistory history) {
    for (int i = history.random.nextInt(STEPS); i > 0; i--) {
      history.step();
    }
  }

  /** A rule without a crime here would be one that nobody tried in the midst of other things. */
  @Test
  void everyRuleHasACrime() {
    Set<Rule> covered = crimes().map(Crime::rule).collect(Collectors.toCollection(() -> EnumSet.noneOf(Rule.class)));
    assertThat(covered).containsExactly(Rule.values());
  }
}
