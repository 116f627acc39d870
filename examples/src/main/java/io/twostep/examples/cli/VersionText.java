package io.twostep.examples.cli;

import io.twostep.platform.PluginInfo;
import io.twostep.platform.Platform;
import java.util.List;
import picocli.CommandLine.IVersionProvider;

/** Prints the version that the modules carry. */
final class VersionText implements IVersionProvider {
  @Override
  public String[] getVersion() {
    List<PluginInfo> plugins = Platform.plugins().plugins();
    String version =
        plugins.stream().filter(plugin -> plugin.module().startsWith("io.twostep.")).map(PluginInfo::version).findFirst().orElse("unknown");
    return new String[] {"twostep " + version + ", Java " + Runtime.version()};
  }
}
