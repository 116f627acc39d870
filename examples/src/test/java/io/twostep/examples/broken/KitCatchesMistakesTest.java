package io.twostep.examples.broken;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import io.twostep.tck.BackendTck;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.platform.engine.discovery.MethodSelector;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/** Proves the kit: every mistake fails a test that names the rule, and the same test passes where the mistake is not made. */
class KitCatchesMistakesTest {
  @ParameterizedTest
  @EnumSource
  void mistakeFailsATestOfItsRule(Defect defect) {
    TestExecutionSummary sound = run(defect, false);
    assertThat(sound.getTotalFailureCount()).as("without the mistake: %s", text(sound)).isZero();
    TestExecutionSummary broken = run(defect, true);
    assertThat(broken.getTestsStartedCount()).isPositive();
    assertThat(broken.getTestsFailedCount()).as("tests of rule %s that %s fails", defect.rule(), defect).isPositive();
  }

  @Test
  void thereAreAtLeastTwentyMistakes() {
    assertThat(Defect.values()).hasSizeGreaterThanOrEqualTo(20);
  }

  private static TestExecutionSummary run(Defect defect, boolean made) {
    List<MethodSelector> selected =
        Arrays.stream(BackendTck.class.getMethods())
            .map(Method::getName)
            .distinct()
            .filter(name -> name.startsWith(defect.rule()) && Character.isUpperCase(name.charAt(defect.rule().length())))
            .map(name -> selectMethod(BrokenStack.class, name))
            .toList();
    assertThat(selected).as("tests of rule " + defect.rule()).isNotEmpty();
    LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request().selectors(selected).build();
    SummaryGeneratingListener summary = new SummaryGeneratingListener();
    BrokenStack.DEFECT.set(defect);
    BrokenStack.MADE.set(made);
    LauncherFactory.create().execute(request, summary);
    return summary.getSummary();
  }

  private static String text(TestExecutionSummary summary) {
    StringWriter text = new StringWriter();
    summary.printFailuresTo(new PrintWriter(text, true), 20);
    return text.toString();
  }
}
