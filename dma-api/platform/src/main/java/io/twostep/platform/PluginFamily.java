package io.twostep.platform;

import io.twostep.dma.spi.DmaPlugin;
import org.jspecify.annotations.Nullable;

/** Plugins among which a name is unique: layers and terminals share one stack and so one set of names. */
enum PluginFamily {
  MACHINE("machine"),
  BACKEND("backend"),
  DEVICE_MODEL("device model"),
  DRIVER("driver");

  private final String text;

  PluginFamily(String text) {
    this.text = text;
  }

  static PluginFamily of(DmaPlugin.Kind kind) {
    return switch (kind) {
      case TERMINAL, LAYER -> BACKEND;
      case MACHINE -> MACHINE;
      case DEVICE_MODEL -> DEVICE_MODEL;
      case DRIVER -> DRIVER;
    };
  }

  /** Return how messages call a member. */
  String text() {
    return text;
  }

  /** Return the artifact of this project that holds a name, or null. */
  @Nullable String artifact(String name) {
    return switch (this) {
      case MACHINE ->
          switch (name) {
            case "model" -> "twostep-machine-model";
            case "linux", "vfio-user" -> "twostep-machine-linux";
            default -> null;
          };
      case BACKEND -> name.equals("direct") || name.equals("iommu") || name.equals("swiotlb") ? "twostep-backend-" + name : null;
      case DEVICE_MODEL, DRIVER -> name.equals("nvme") ? "twostep-devices-nvme" : null;
    };
  }
}
