package io.twostep.dma.spi;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;

/** A driver's context made by hand, from a machine and a stack. */
record StackDriverContext(Machine machine, DeviceSlot slot, DmaStack stack, Settings settings)
    implements DriverContext {
  @Override
  public DmaMapper attach(DeviceLimits limits) {
    return stack.attach(machine, slot, limits);
  }
}
