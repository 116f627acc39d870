package io.twostep.backend.debug.silence;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugBackendPlugin;
import io.twostep.backend.debug.Report;
import io.twostep.backend.debug.Rule;
import io.twostep.dma.spi.Settings;
import java.util.Collections;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Watches one test after the other: each has a checker of its own above its stacks, and fails if that reports a rule which the test does not announce.
 *
 * <p>A test that breaks rules on purpose is tagged {@code breaks:rule} or {@code breaks:rule+rule}, with the names that reports begin with, in lower case and with hyphens; one that does so only by chance, in a
 * random history or by two threads that meet, {@code may-break:rule}. {@code -Dtwostep.traces=true} has reports say where.
 */
public final class Sentinel implements AfterEachCallback {
  static final String ANNOUNCES = "breaks:";
  private static final String RISKS = "may-break:";
  private static final int SHOWN = 64;

  private static final Announcements ANNOUNCEMENTS = new Announcements();

  private static volatile DebugBackend onDuty = checker();

  /** Return the checker of the test that runs. */
  static DebugBackend onDuty() {
    return onDuty;
  }

  /** Return what the tests of this run announced so far. */
  static Announcements announcements() {
    return ANNOUNCEMENTS;
  }

  private static DebugBackend checker() {
    DebugBackendPlugin plugin = new DebugBackendPlugin();
    Map<String, String> settings =
        Map.of("on-error", "count", "measure", "false", "limit", "" + SHOWN, "traces", System.getProperty("twostep.traces", "false"));
    return plugin.create(Settings.of(plugin, settings));
  }

  @Override
  public void afterEach(ExtensionContext context) {
    DebugBackend relieved = onDuty;
    onDuty = checker();
    String verdict = verdict(relieved, context.getTags());
    if (!verdict.isEmpty()) {
      throw new AssertionError(context.getRequiredTestClass().getSimpleName() + "." + context.getRequiredTestMethod().getName() + verdict);
    }
    if (context.getExecutionException().isEmpty()) {
      ANNOUNCEMENTS.heard(context.getRequiredTestMethod(), named(context.getTags(), ANNOUNCES), broken(relieved));
    }
  }

  private static Set<String> broken(DebugBackend checker) {
    return checker.statistics().byRule().keySet().stream().map(Rule::text).collect(Collectors.toSet());
  }

  /** Return what a checker found that tags do not announce; empty if it was silent. */
  static String verdict(DebugBackend checker, Set<String> tags) {
    Set<String> announced = named(tags, ANNOUNCES);
    announced.addAll(named(tags, RISKS));
    Map<Rule, Long> found = new TreeMap<>(checker.statistics().byRule());
    found.keySet().removeIf(rule -> announced.contains(rule.text()));
    StringBuilder text = new StringBuilder();
    found.forEach((rule, times) -> text.append("\n%d x %s: if it is meant, announce it by @Tag(\"%s%s\")".formatted(times, rule, ANNOUNCES, rule.text())));
    for (Report report : checker.reports(SHOWN)) {
      if (found.remove(report.rule()) != null) {
        text.append("\n").append(report.text(24));
      }
    }
    return text.toString();
  }

  private static Set<String> named(Set<String> tags, String prefix) {
    Set<String> rules = new HashSet<>();
    for (String tag : tags) {
      if (tag.startsWith(prefix)) {
        Collections.addAll(rules, tag.substring(prefix.length()).split("\\+"));
      }
    }
    return rules;
  }
}
