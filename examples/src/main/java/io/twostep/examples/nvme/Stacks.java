package io.twostep.examples.nvme;

import io.twostep.dma.spi.DmaPlugin.Kind;
import io.twostep.platform.PluginInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The stacks there are to try. */
public final class Stacks {
  /** Name of the backend that translates. */
  public static final String IOMMU = "iommu";
  private static final String SWIOTLB = "swiotlb";

  /** The checker changes nothing for the device: it is tried where it is asked for. */
  private static final String DEBUG = "debug";

  private Stacks() {}

  /**
   * Return every terminal by itself, once more for a device that does not see CPU caches, and every layer but the checker above every terminal; an IOMMU by itself
   * once strict and once lazy.
   *
   * @param flush the only flush policy to try, or empty for both
   * @param granule granule for an IOMMU, or empty for its default
   */
  public static List<StackChoice> all(List<PluginInfo> plugins, String flush, String granule) {
    List<StackChoice> stacks = new ArrayList<>();
    for (String terminal : names(plugins, Kind.TERMINAL)) {
      stacks.add(of(List.of(terminal), flush, granule));
      if (flush.isEmpty() && terminal.equals(IOMMU)) {
        stacks.add(of(List.of(terminal), "lazy", granule));
      }
      stacks.add(nonCoherent(of(List.of(terminal), flush, granule)));
    }
    for (String layer : names(plugins, Kind.LAYER)) {
      if (layer.equals(DEBUG)) {
        continue;
      }
      for (String terminal : names(plugins, Kind.TERMINAL)) {
        stacks.add(of(List.of(layer, terminal), flush, granule));
      }
    }
    return stacks;
  }

  /**
   * Return the stack of these backends, an IOMMU strict unless told otherwise.
   *
   * <p>A bounce layer is given something to do: behind an IOMMU the device is not trusted, elsewhere everything is bounced.
   */
  public static StackChoice of(List<String> backends, String flush, String granule) {
    Map<String, String> settings = new LinkedHashMap<>();
    List<String> notes = new ArrayList<>();
    boolean translated = backends.contains(IOMMU);
    if (backends.contains(SWIOTLB)) {
      settings.put(translated ? "trusted" : "swiotlb.force", translated ? "false" : "true");
      notes.add(translated ? "untrusted" : "forced");
    }
    if (translated) {
      settings.put("iommu.flush", flush.isEmpty() ? "strict" : flush);
      if (flush.equals("lazy")) {
        notes.add("lazy");
      }
      if (!granule.isEmpty()) {
        settings.put("iommu.granule", granule);
      }
    }
    String label = String.join(",", backends);
    return new StackChoice(notes.isEmpty() ? label : label + " (" + String.join(", ", notes) + ")", backends, settings);
  }

  /** Return every stack for a device of this computer: translated per request or registered once, each in place and bounced. */
  public static List<StackChoice> ofThisComputer() {
    return List.of(onThisComputer(List.of(IOMMU)), onThisComputer(List.of("direct")), onThisComputer(List.of(SWIOTLB, IOMMU)), onThisComputer(List.of(SWIOTLB, "direct")));
  }

  /** Return the stack of these backends for a device of this computer; above a terminal that does not translate, all memory is registered. */
  public static StackChoice onThisComputer(List<String> backends) {
    StackChoice modelled = of(backends, "", "");
    Map<String, String> settings = new LinkedHashMap<>(modelled.settings());
    String trusted = settings.remove("trusted");
    Map<String, String> machine = new LinkedHashMap<>();
    machine.put("addressing", modelled.isUntranslated() ? "registered" : "translated");
    if (trusted != null) {
      machine.put("trusted", trusted);
    }
    return new StackChoice(modelled.label() + (modelled.isUntranslated() ? " (registered)" : ""), backends, settings, machine);
  }

  private static StackChoice nonCoherent(StackChoice stack) {
    Map<String, String> settings = new LinkedHashMap<>(stack.settings());
    settings.put("coherent", "false");
    return new StackChoice(stack.label() + " (non-coherent)", stack.backends(), settings);
  }

  private static List<String> names(List<PluginInfo> plugins, Kind kind) {
    return plugins.stream().filter(plugin -> plugin.kind() == kind).map(PluginInfo::name).sorted().toList();
  }
}
