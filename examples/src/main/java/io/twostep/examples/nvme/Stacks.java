package io.twostep.examples.nvme;

import io.twostep.dma.spi.DmaPlugin.Kind;
import io.twostep.platform.PluginInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The stacks there are to try. */
public final class Stacks {
  private static final String IOMMU = "iommu";

  private Stacks() {}

  /**
   * Return every terminal by itself, and every layer above every terminal; an IOMMU once strict and once lazy.
   *
   * @param flush the only flush policy to try, or empty for both
   * @param granule granule for an IOMMU, or empty for its default
   */
  public static List<StackChoice> all(List<PluginInfo> plugins, String flush, String granule) {
    List<StackChoice> stacks = new ArrayList<>();
    for (String terminal : names(plugins, Kind.TERMINAL)) {
      add(stacks, List.of(terminal), flush, granule);
    }
    for (String layer : names(plugins, Kind.LAYER)) {
      for (String terminal : names(plugins, Kind.TERMINAL)) {
        add(stacks, List.of(layer, terminal), flush, granule);
      }
    }
    return stacks;
  }

  /** Return the stack of these backends; an IOMMU strict unless told otherwise. */
  public static StackChoice of(List<String> backends, String flush, String granule) {
    Map<String, String> settings = new LinkedHashMap<>();
    if (backends.contains(IOMMU)) {
      if (!flush.isEmpty()) {
        settings.put("iommu.flush", flush);
      }
      if (!granule.isEmpty()) {
        settings.put("iommu.granule", granule);
      }
    }
    String label = String.join(",", backends) + (flush.equals("lazy") && backends.contains(IOMMU) ? " (lazy)" : "");
    return new StackChoice(label, backends, settings);
  }

  private static void add(List<StackChoice> stacks, List<String> backends, String flush, String granule) {
    stacks.add(of(backends, flush.isEmpty() && backends.contains(IOMMU) ? "strict" : flush, granule));
    if (flush.isEmpty() && backends.contains(IOMMU)) {
      stacks.add(of(backends, "lazy", granule));
    }
  }

  private static List<String> names(List<PluginInfo> plugins, Kind kind) {
    return plugins.stream().filter(plugin -> plugin.kind() == kind).map(PluginInfo::name).sorted().toList();
  }
}
