package io.twostep.examples.nvme;

import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Spi;

/** Puts a meter above a stack; given to a platform as an instance, never found by name alone. */
final class MeterPlugin implements BackendPlugin {
  static final String NAME = "meter";

  private final Meter meter;

  MeterPlugin(Meter meter) {
    this.meter = meter;
  }

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
    return "counts I/O address allocations";
  }

  @Override
  public boolean layer() {
    return true;
  }

  @Override
  public LayerBackend create(Settings settings) {
    return meter.layer();
  }
}
