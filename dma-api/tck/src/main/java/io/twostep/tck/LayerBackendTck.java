package io.twostep.tck;

import io.twostep.dma.spi.BackendPlugin;
import java.util.List;
import java.util.Map;

/** Proves a layer above a terminal that was proved before; extended as {@link TerminalBackendTck} is, and once for each terminal it may stand on. */
public abstract class LayerBackendTck extends BackendTck {
  /** Create the class. */
  protected LayerBackendTck() {}

  /** Return the plugin that makes the layer. */
  @Override
  public abstract BackendPlugin plugin();

  /** Return its settings, beside the defaults. */
  public Map<String, String> settings() {
    return Map.of();
  }

  /** Return what lies below it, outermost first, the terminal last. */
  public abstract List<TckPart> below();

  @Override
  public List<TckPart> stack() {
    List<TckPart> stack = new java.util.ArrayList<>(List.of(new TckPart(plugin(), settings())));
    stack.addAll(below());
    return stack;
  }
}
