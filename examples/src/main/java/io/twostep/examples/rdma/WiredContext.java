package io.twostep.examples.rdma;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Timers;

/** A driver's context with another clock: one whose waiting lets the peer's machine go on too. */
record WiredContext(DriverContext own, Timers timers) implements DriverContext {
  @Override
  public DeviceSlot slot() {
    return own.slot();
  }

  @Override
  public Machine machine() {
    return own.machine();
  }

  @Override
  public Settings settings() {
    return own.settings();
  }

  @Override
  public DmaMapper attach(DeviceLimits limits) {
    return own.attach(limits);
  }
}
