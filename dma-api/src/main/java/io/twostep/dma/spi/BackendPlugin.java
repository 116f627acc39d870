package io.twostep.dma.spi;

import java.util.Set;

/** Makes a backend: the terminal at the bottom of a stack, or a layer above another backend. */
public non-sealed interface BackendPlugin extends DmaPlugin {
  /** Tell whether it makes a {@link LayerBackend} rather than a {@link TerminalBackend}. */
  boolean layer();

  /** Make a backend for one address space or more; throws {@link IllegalArgumentException} for settings that do not fit. */
  Backend create(Settings settings);

  /** Return names of the layers that this one must lie above, nearer to the driver, when both are in one stack. */
  default Set<String> mustLieAbove() {
    return Set.of();
  }
}
