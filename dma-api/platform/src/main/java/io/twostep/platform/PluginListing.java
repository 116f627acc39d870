package io.twostep.platform;

import java.util.List;

/**
 * What discovery found, and what it could not use.
 *
 * @param plugins plugins that can be used, by kind and name
 * @param problems one line for each plugin that cannot
 */
public record PluginListing(List<PluginInfo> plugins, List<String> problems) {
  public PluginListing {
    plugins = List.copyOf(plugins);
    problems = List.copyOf(problems);
  }
}
