package io.twostep.dma.spi;

import java.util.List;

/**
 * What ServiceLoader finds: a named factory with its settings declared.
 *
 * <p>Implementations are public, have a public constructor without parameters, and are listed in {@code META-INF/services/io.twostep.dma.spi.DmaPlugin}, and
 * in {@code module-info} if there is one: the one is read on the class path, the other on the module path. Stateless and thread-safe.
 */
public sealed interface DmaPlugin permits BackendPlugin, MachinePlugin, DeviceModelPlugin, DriverPlugin {
  /** Return the name users write: {@code [a-z][a-z0-9-]{0,31}}, unique among plugins of one kind. */
  String name();

  /** Return {@link Spi#VERSION}; not defaulted, so that the number compiled in is the one reported. */
  int spiVersion();

  /** Return every setting the plugin understands. */
  default List<Setting> settings() {
    return List.of();
  }

  /** Return one line that says what it does. */
  String description();

  /** Return what kind of thing it makes. */
  default Kind kind() {
    return switch (this) {
      case BackendPlugin b -> b.layer() ? Kind.LAYER : Kind.TERMINAL;
      case MachinePlugin m -> Kind.MACHINE;
      case DeviceModelPlugin d -> Kind.DEVICE_MODEL;
      case DriverPlugin<?> d -> Kind.DRIVER;
    };
  }

  /** What kind of thing a plugin makes. */
  enum Kind {
    /** A backend at the bottom of a stack. */
    TERMINAL,
    /** A backend above another. */
    LAYER,
    /** A machine. */
    MACHINE,
    /** A device in software. */
    DEVICE_MODEL,
    /** A host driver. */
    DRIVER;

    /** Return the name in lower case with hyphens. */
    public String text() {
      return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
    }
  }
}
