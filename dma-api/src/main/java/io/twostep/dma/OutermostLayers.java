package io.twostep.dma;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.DmaPlugin;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/**
 * The layers that whoever starts the process puts above every stack of it, such as the checker above a program that knows nothing of it.
 *
 * <p>Named by the system property {@value #PROPERTY}, with commas, outermost first; found by ServiceLoader, made once with default settings, never closed.
 */
final class OutermostLayers {
  static final String PROPERTY = "twostep.outermost";

  private static @Nullable List<LayerBackend> made;

  private OutermostLayers() {}

  /** Return the layers of a stack with the outermost ones above, without those that the stack has already. */
  static List<LayerBackend> above(List<LayerBackend> layers) {
    List<LayerBackend> outermost = ofProcess();
    if (outermost.isEmpty()) {
      return List.copyOf(layers);
    }
    List<LayerBackend> all = new ArrayList<>();
    for (LayerBackend layer : outermost) {
      if (layers.stream().noneMatch(own -> own.name().equals(layer.name()))) {
        all.add(layer);
      }
    }
    all.addAll(layers);
    return List.copyOf(all);
  }

  private static synchronized List<LayerBackend> ofProcess() {
    List<LayerBackend> layers = made;
    if (layers == null) {
      layers = make(System.getProperty(PROPERTY, ""));
      made = layers;
    }
    return layers;
  }

  /**
   * Make the layers that {@code names} lists.
   *
   * @throws IllegalArgumentException for a name that no layer on the path has
   */
  static List<LayerBackend> make(String names) {
    List<LayerBackend> layers = new ArrayList<>();
    for (String name : names.split(",", -1)) {
      if (!name.isBlank()) {
        layers.add(make(name.trim(), ServiceLoader.load(DmaPlugin.class)));
      }
    }
    return List.copyOf(layers);
  }

  private static LayerBackend make(String name, Iterable<DmaPlugin> found) {
    List<String> others = new ArrayList<>();
    for (DmaPlugin plugin : found) {
      if (plugin instanceof BackendPlugin layer && layer.layer()) {
        if (plugin.name().equals(name)) {
          return make(layer);
        }
        others.add(plugin.name());
      }
    }
    throw new IllegalArgumentException(
        "system property " + PROPERTY + " names '" + name + "', and no layer on the path has that name; found " + others + "; add its jar, or correct the name");
  }

  private static LayerBackend make(BackendPlugin plugin) {
    Spi.requireCompatible(plugin);
    return (LayerBackend) plugin.create(Settings.defaults(plugin));
  }
}
