package io.twostep.tck;

import io.twostep.dma.spi.BackendPlugin;
import java.util.Map;

/**
 * One backend of the stack that is proved.
 *
 * @param plugin makes it
 * @param settings its settings, beside the defaults
 */
public record TckPart(BackendPlugin plugin, Map<String, String> settings) {
  public TckPart {
    settings = Map.copyOf(settings);
  }

  /** Return a part with the plugin's defaults. */
  public static TckPart of(BackendPlugin plugin) {
    return new TckPart(plugin, Map.of());
  }

  /** Return a copy with one more setting. */
  public TckPart with(String name, String value) {
    Map<String, String> more = new java.util.HashMap<>(settings);
    more.put(name, value);
    return new TckPart(plugin, more);
  }
}
