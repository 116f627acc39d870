package io.twostep.backend.debug.silence;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;

/** Makes the layer that goes above every stack of the process: the {@link Sentinel} of the test that runs. */
public final class SentinelPlugin implements BackendPlugin {
  static final String NAME = "sentinel";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int spiVersion() {
    return Spi.VERSION;
  }

  @Override
  public String description() {
    return "Puts the checker of the test that runs above every stack";
  }

  @Override
  public boolean layer() {
    return true;
  }

  @Override
  public LayerBackend create(Settings settings) {
    return new LayerBackend() {
      /** Stacks that have the checker by themselves, and a test that judges it, need no other. */
      @Override
      public String name() {
        return "debug";
      }

      @Override
      public DmaOps attach(AttachContext context, DmaOps next) {
        return Sentinel.onDuty().attach(context, next);
      }

      @Override
      public void close() {}
    };
  }
}
