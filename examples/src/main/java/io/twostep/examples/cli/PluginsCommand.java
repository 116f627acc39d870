package io.twostep.examples.cli;

import io.twostep.dma.spi.Setting;
import io.twostep.platform.Platform;
import io.twostep.platform.PluginInfo;
import io.twostep.platform.PluginListing;
import io.twostep.platform.PluginSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Lists what was found: machines, backends, device models and drivers, with their settings. */
@Command(
    name = "plugins",
    description = {"List the plugins that were found, with their settings.", "Exit status: 0, or 2 if something that should hold plugins does not, after the list."},
    mixinStandardHelpOptions = true)
final class PluginsCommand extends CommandWork {
  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Option(names = "--folder", paramLabel = "FOLDER", description = "Look into the jars of this folder too.")
  private @Nullable Path folder;

  @Override
  public Integer call() {
    List<PluginSource> sources = new ArrayList<>(List.of(PluginSource.installed()));
    if (folder != null) {
      sources.add(PluginSource.jars(folder));
    }
    PluginListing listing = Platform.plugins(sources.toArray(PluginSource[]::new));
    out().println(json ? json(listing.plugins()) : table(listing.plugins()));
    if (!listing.problems().isEmpty()) {
      throw new BadInput(String.join("; ", listing.problems()));
    }
    return CommandLineMain.DONE;
  }

  private static String json(List<PluginInfo> plugins) {
    JsonText text = new JsonText().open('{').name("plugins").open('[');
    for (PluginInfo plugin : plugins) {
      text.open('{')
          .member("name", plugin.name())
          .member("kind", plugin.kind().text())
          .member("version", plugin.version())
          .member("module", plugin.module())
          .name("settings")
          .open('[');
      for (Setting setting : plugin.settings()) {
        text.open('{')
            .member("name", setting.name())
            .member("default", setting.defaultValue())
            .member("meaning", setting.meaning())
            .close('}');
      }
      text.close(']').close('}');
    }
    return text.close(']').close('}').toString();
  }

  private static String table(List<PluginInfo> plugins) {
    List<String> lines = new ArrayList<>();
    for (PluginInfo plugin : plugins) {
      if (!lines.isEmpty()) {
        lines.add("");
      }
      lines.add(Printable.of(plugin.kind().text() + " " + plugin.name() + "  (" + plugin.module() + " " + plugin.version() + ")"));
      lines.add("  " + Printable.of(plugin.description()));
      TextTable settings = new TextTable("    ");
      for (Setting setting : plugin.settings()) {
        settings.row(setting.name(), setting.defaultValue().isEmpty() ? "-" : setting.defaultValue(), setting.meaning());
      }
      lines.addAll(settings.lines());
    }
    return lines.isEmpty() ? "no plugins were found" : String.join(System.lineSeparator(), lines);
  }
}
