package io.twostep.examples.nvme;

import java.util.List;
import java.util.Map;

/**
 * A stack to try.
 *
 * @param label its name in reports
 * @param backends backends, outermost first
 * @param settings settings of backends, with their prefix
 * @param machineSettings settings of the machine that the stack needs, where devices are not modelled
 */
public record StackChoice(String label, List<String> backends, Map<String, String> settings, Map<String, String> machineSettings) {
  public StackChoice {
    backends = List.copyOf(backends);
    settings = Map.copyOf(settings);
    machineSettings = Map.copyOf(machineSettings);
  }

  /** Choose a stack that needs nothing of its machine. */
  public StackChoice(String label, List<String> backends, Map<String, String> settings) {
    this(label, backends, settings, Map.of());
  }

  /** Tell whether the stack ends in a terminal that wants no translation below it. */
  boolean isUntranslated() {
    return !backends.isEmpty() && backends.getLast().equals("direct");
  }
}
