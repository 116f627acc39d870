package io.twostep.platform;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/** What was made, in order, each thing once. */
final class CloseStack {
  private final List<AutoCloseable> made = new ArrayList<>();
  private final Set<AutoCloseable> known = Collections.newSetFromMap(new IdentityHashMap<>());

  void push(AutoCloseable closeable) {
    if (known.add(closeable)) {
      made.add(closeable);
    }
  }

  /** Forget something that has another owner now. */
  void forget(AutoCloseable closeable) {
    if (known.remove(closeable)) {
      made.removeIf(other -> other == closeable);
    }
  }

  /** Close everything, last first, and add what fails to {@code failure}. */
  void closeAll(Throwable failure) {
    for (AutoCloseable closeable : made.reversed()) {
      try {
        closeable.close();
      } catch (Exception e) {
        failure.addSuppressed(e);
      }
    }
    made.clear();
    known.clear();
  }
}
