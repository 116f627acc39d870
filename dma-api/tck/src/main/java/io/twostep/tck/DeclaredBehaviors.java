package io.twostep.tck;

import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;
import org.opentest4j.TestAbortedException;

/** Remembers which behaviours a test asked about, and adds them to its failure: whoever forgot to declare one looks for a mistake in the backend otherwise. Thread-safe. */
final class DeclaredBehaviors implements TestExecutionExceptionHandler {
  private final Map<Behavior, Boolean> asked = Collections.synchronizedMap(new EnumMap<>(Behavior.class));

  /** Remember what was answered, and return it. */
  boolean answer(Behavior behavior, boolean declared) {
    asked.put(behavior, declared);
    return declared;
  }

  @Override
  public void handleTestExecutionException(ExtensionContext context, Throwable failure) throws Throwable {
    if (!asked.isEmpty() && !(failure instanceof TestAbortedException)) {
      failure.addSuppressed(new Remark("behaviors() decided what this test demands: declared are " + those(true) + ", not declared are " + those(false)));
    }
    throw failure;
  }

  private List<Behavior> those(boolean declared) {
    synchronized (asked) {
      return asked.entrySet().stream().filter(each -> each.getValue() == declared).map(Map.Entry::getKey).toList();
    }
  }

  /** A line beside a failure's own. */
  private static final class Remark extends RuntimeException {
    private static final long serialVersionUID = 1;

    Remark(String text) {
      super(text, null, false, false);
    }
  }
}
