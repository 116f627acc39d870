package io.twostep.dma.spi;

import java.util.Set;

/** Makes a backend: the terminal at the bottom of a stack, or a layer above another backend. */
public non-sealed interface BackendPlugin extends DmaPlugin {
  /** Tell whether it makes a {@link LayerBackend} rather than a {@link TerminalBackend}. */
  boolean layer();

  /** Make a backend for one address space or more; throws {@link IllegalArgumentException} for settings that do not fit. */
  Backend create(Settings settings);

  /** Return names of layers that must lie below this one, nearer to memory, when both are in one stack. */
  default Set<String> inside() {
    return Set.of();
  }
}
