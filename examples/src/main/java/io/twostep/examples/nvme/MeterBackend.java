package io.twostep.examples.nvme;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.OpenState;

/** The layer that looks at what a stack below it did. */
record MeterBackend(Meter meter, OpenState open) implements LayerBackend {
  @Override
  public String name() {
    return MeterPlugin.NAME;
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    open.requireOpen(this, context);
    return new MeterOps(next, meter);
  }

  @Override
  public void close() {
    open.close();
  }
}
