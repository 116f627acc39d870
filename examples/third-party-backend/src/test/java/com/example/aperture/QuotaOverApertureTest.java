package com.example.aperture;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.tck.Behavior;
import io.twostep.tck.LayerBackendTck;
import io.twostep.tck.TckPart;
import io.twostep.tck.TckSetup;
import java.util.List;
import java.util.Set;

class QuotaOverApertureTest extends LayerBackendTck {
  @Override
  public BackendPlugin plugin() {
    return new QuotaPlugin();
  }

  @Override
  public List<TckPart> below() {
    return List.of(TckPart.of(new AperturePlugin()));
  }

  @Override
  public TckSetup setup() {
    return TckSetup.translated();
  }

  @Override
  public Set<Behavior> behaviors() {
    return ApertureTest.OFFERED;
  }
}
