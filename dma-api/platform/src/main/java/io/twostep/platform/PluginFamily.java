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
      case BACKEND ->
          switch (name) {
            case "direct", "iommu", "swiotlb", "p2p", "debug" -> "twostep-backend-" + name;
            default -> null;
          };
      case DEVICE_MODEL, DRIVER ->
          switch (name) {
            case "probe" -> "twostep-machine-model";
            case "nvme" -> "twostep-devices-nvme";
            case "hca" -> "twostep-devices-rdma";
            case "migratable" -> "twostep-devices-vfio";
            default -> null;
          };
    };
  }
}
