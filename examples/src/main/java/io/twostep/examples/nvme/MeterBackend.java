package io.twostep.examples.nvme;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;

/** The layer that looks at what a stack below it did. */
record MeterBackend(Meter meter) implements LayerBackend {
  @Override
  public String name() {
    return MeterPlugin.NAME;
  }

  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    return new MeterOps(next, meter);
  }

  @Override
  public void close() {}
}
