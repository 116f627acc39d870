package io.twostep.examples.nvme;

import java.util.List;
import java.util.Map;

/**
 * A stack to try.
 *
 * @param label its name in reports
 * @param backends backends, outermost first
 * @param settings settings of backends, with their prefix
 */
public record StackChoice(String label, List<String> backends, Map<String, String> settings) {
  public StackChoice {
    backends = List.copyOf(backends);
    settings = Map.copyOf(settings);
  }

  /** Tell whether the stack ends in a terminal that wants no translation below it. */
  boolean isUntranslated() {
    return !backends.isEmpty() && backends.getLast().equals("direct");
  }
}
