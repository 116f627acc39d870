package io.twostep.examples.broken;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import io.twostep.backend.iommu.IommuBackendPlugin;
import io.twostep.dma.spi.Backend;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.Setting;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import io.twostep.tck.BackendTck;
import io.twostep.tck.Behavior;
import io.twostep.tck.PluginRules;
import io.twostep.tck.TckSetup;
import io.twostep.tck.TerminalBackendTck;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
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
    assertThat(sound.getTestsSucceededCount()).as("tests of rule %s that have something to prove on the stack of %s", defect.rule(), defect).isPositive();
    TestExecutionSummary broken = run(defect, true);
    assertThat(broken.getTestsStartedCount()).isPositive();
    assertThat(broken.getTestsFailedCount()).as("tests of rule %s that %s fails", defect.rule(), defect).isPositive();
  }

  /** Rules that no stack can break, because the mapper refuses before one hears of it, or that are about the plugin itself; see {@link #wrongPluginFailsItsRule}. */
  private static final Set<String> OTHERWISE = Set.of("e12f", "p1a", "p2a", "p3a", "p4a");

  @Test
  void everyRuleHasAMistakeThatBreaksIt() {
    Set<String> rules = new TreeSet<>();
    for (Method method : BackendTck.class.getMethods()) {
      if (method.isAnnotationPresent(Test.class)) {
        rules.add(method.getName().split("[A-Z]", 2)[0]);
      }
    }
    Set<String> broken = new TreeSet<>(OTHERWISE);
    for (Defect defect : Defect.values()) {
      broken.add(defect.rule());
    }
    assertThat(rules).hasSizeGreaterThan(90).containsExactlyElementsOf(broken);
  }

  /** A plugin with one mistake in what it says of itself, and the rule's test. */
  enum PluginMistake {
    NAME_WITH_A_SPACE(new Described("my backend", "one line", List.of()), PluginRules::p1aNameIsWhatUsersCanWrite),
    NOT_LISTED(new Described("iommu", "one line", List.of()), PluginRules::p2aServiceLoaderFindsThePlugin),
    SETTING_WITHOUT_MEANING(
        new Described("iommu", "one line", List.of(new Setting("size", "1", ""))), PluginRules::p3aSettingsHaveDefaultsThatWorkAndOthersAreRefused),
    MAKES_ANOTHER(new Described("other", "one line", new IommuBackendPlugin().settings()), PluginRules::p4aPluginMakesWhatItSays);

    private final BackendPlugin plugin;
    private final Consumer<PluginRules> rule;

    PluginMistake(BackendPlugin plugin, Consumer<PluginRules> rule) {
      this.plugin = plugin;
      this.rule = rule;
    }
  }

  /** An IOMMU's plugin that says something else of itself. */
  private record Described(String name, String description, List<Setting> settings) implements BackendPlugin {
    @Override
    public int spiVersion() {
      return Spi.VERSION;
    }

    @Override
    public boolean layer() {
      return false;
    }

    @Override
    public Backend create(Settings given) {
      return new IommuBackendPlugin().create(Settings.defaults(new IommuBackendPlugin()));
    }
  }

  @ParameterizedTest
  @EnumSource
  void wrongPluginFailsItsRule(PluginMistake mistake) {
    mistake.rule.accept(rulesOf(new IommuBackendPlugin()));
    assertThatThrownBy(() -> mistake.rule.accept(rulesOf(mistake.plugin))).isInstanceOf(AssertionError.class);
  }

  private static PluginRules rulesOf(BackendPlugin plugin) {
    return new TerminalBackendTck() {
      @Override
      public BackendPlugin plugin() {
        return plugin;
      }

      @Override
      public TckSetup setup() {
        return TckSetup.translated();
      }

      @Override
      public Set<Behavior> behaviors() {
        return Set.of();
      }
    };
  }

  /** An IOMMU that is not said to have sparse windows, and has them. */
  static final class Modest extends TerminalBackendTck {
    @Override
    public BackendPlugin plugin() {
      return new IommuBackendPlugin();
    }

    @Override
    public TckSetup setup() {
      return TckSetup.translated();
    }

    @Override
    public Set<Behavior> behaviors() {
      return Set.of(Behavior.TRANSLATES);
    }
  }

  @Test
  void aFailureSaysWhichBehavioursDecidedIt() {
    TestExecutionSummary summary = run(List.of(selectMethod(Modest.class, "e11aUnitsComeAndGo")));
    assertThat(summary.getFailures()).hasSize(1);
    assertThat(summary.getFailures().getFirst().getException().getSuppressed())
        .extracting(Throwable::getMessage)
        .contains("behaviors() decided what this test demands: declared are [], not declared are [SPARSE_WINDOWS]");
  }

  @Test
  void whatHasNothingToProveIsSkippedAndSaysWhy() {
    TestExecutionSummary summary = run(List.of(selectMethod(Modest.class, "e11cMemoryOfUnitsIsHeldUntilTheirBatchCompletes")));
    assertThat(summary.getTestsAbortedCount()).isEqualTo(1);
    assertThatThrownBy(() -> new Modest().needs(Behavior.TRANSLATES, Behavior.SPARSE_WINDOWS))
        .hasMessageContaining("the stack does not declare SPARSE_WINDOWS, so that there is nothing to prove")
        .satisfies(skipped -> assertThat(skipped.getSuppressed()).isEmpty());
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
    BrokenStack.DEFECT.set(defect);
    BrokenStack.MADE.set(made);
    return run(selected);
  }

  private static TestExecutionSummary run(List<MethodSelector> selected) {
    LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request().selectors(selected).build();
    SummaryGeneratingListener summary = new SummaryGeneratingListener();
    LauncherFactory.create().execute(request, summary);
    return summary.getSummary();
  }

  private static String text(TestExecutionSummary summary) {
    StringWriter text = new StringWriter();
    summary.printFailuresTo(new PrintWriter(text, true), 20);
    return text.toString();
  }
}
