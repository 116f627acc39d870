package com.example.aperture;

import static io.twostep.tck.Behavior.IN_PLACE;
import static io.twostep.tck.Behavior.SERVES_UNTRUSTED;
import static io.twostep.tck.Behavior.SPARSE_WINDOWS;
import static io.twostep.tck.Behavior.SPLITS_LINKS;
import static io.twostep.tck.Behavior.TRANSLATES;
import static io.twostep.tck.Behavior.WRITE_ONLY;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.tck.Behavior;
import io.twostep.tck.TckSetup;
import io.twostep.tck.TerminalBackendTck;
import java.util.EnumSet;
import java.util.Set;

class ApertureTest extends TerminalBackendTck {
  static final Set<Behavior> OFFERED = EnumSet.of(TRANSLATES, WRITE_ONLY, SPARSE_WINDOWS, SPLITS_LINKS, IN_PLACE, SERVES_UNTRUSTED);

  @Override
  public BackendPlugin plugin() {
    return new AperturePlugin();
  }

  @Override
  public TckSetup setup() {
    return TckSetup.translated();
  }

  @Override
  public Set<Behavior> behaviors() {
    return OFFERED;
  }
}
