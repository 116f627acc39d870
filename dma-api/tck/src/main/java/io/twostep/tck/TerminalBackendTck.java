package io.twostep.tck;

import io.twostep.dma.spi.BackendPlugin;
import java.util.List;
import java.util.Map;

/**
 * Proves a terminal backend by itself. A subclass names it and says what it offers:
 *
 * <pre>{@code
 * class ApertureTest extends TerminalBackendTck {
 *   public BackendPlugin plugin() { return new AperturePlugin(); }
 *   public TckSetup setup() { return TckSetup.translated(); }
 *   public Set<Behavior> behaviors() { return EnumSet.of(TRANSLATES, WRITE_ONLY, SPARSE_WINDOWS, SPLITS_LINKS, IN_PLACE, SERVES_UNTRUSTED); }
 * }
 * }</pre>
 */
public abstract class TerminalBackendTck extends BackendTck {
  /** Create the class. */
  protected TerminalBackendTck() {}

  /** Return the plugin that makes the terminal. */
  @Override
  public abstract BackendPlugin plugin();

  /** Return its settings, beside the defaults. */
  public Map<String, String> settings() {
    return Map.of();
  }

  @Override
  public List<TckPart> stack() {
    return List.of(new TckPart(plugin(), settings()));
  }
}
