package io.twostep.guest.kit;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.opentest4j.TestAbortedException;

/** Says of every test what came of it as soon as it is known, and counts. */
final class KitListener implements TestExecutionListener {
  private final List<String> failures = new ArrayList<>();
  private final Map<String, List<String>> undecided = new TreeMap<>();
  private int passed;
  private long started;

  int passed() {
    return passed;
  }

  List<String> failures() {
    return failures;
  }

  /** Return the counts, and why what was not decided was not. */
  String summary() {
    StringBuilder text = new StringBuilder(passed + " tests passed, " + failures.size() + " failed");
    undecided.forEach((reason, tests) -> text.append("; ").append(tests.size()).append(" not decided, because ").append(reason).append(' ').append(tests));
    return text.toString();
  }

  /** Return why a test ended undecided, null if it did not; that it left something behind then is its end's doing. */
  private static @Nullable TestAbortedException abortion(@Nullable Throwable thrown) {
    if (thrown instanceof TestAbortedException aborted) {
      return aborted;
    }
    return thrown == null
        ? null
        : Stream.of(thrown.getSuppressed()).filter(TestAbortedException.class::isInstance).map(TestAbortedException.class::cast).findFirst().orElse(null);
  }

  @Override
  public void executionStarted(TestIdentifier test) {
    started = System.nanoTime();
  }

  @Override
  public void executionFinished(TestIdentifier test, TestExecutionResult result) {
    Throwable thrown = result.getThrowable().orElse(null);
    TestAbortedException aborted = abortion(thrown);
    String name = test.getDisplayName().replace("()", "");
    String verdict = "passed";
    if (aborted != null) {
      verdict = "not decided";
      undecided.computeIfAbsent(String.valueOf(aborted.getMessage()), reason -> new ArrayList<>()).add(name);
    } else if (thrown != null) {
      verdict = "FAILED";
      failures.add(name + ": " + thrown);
      thrown.printStackTrace(System.out);
    } else if (test.isTest()) {
      passed++;
    }
    if (test.isTest()) {
      System.out.println((System.nanoTime() - started) / 1_000_000 + " ms " + verdict + ": " + name);
    }
  }
}
