package io.twostep.backend.debug;

import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Mmio;
import java.lang.foreign.MemorySegment;

/** A slot whose device is not trusted, in the place of one that is. */
record Untrusted(DeviceSlot real) implements DeviceSlot {
  @Override
  public boolean trusted() {
    return false;
  }

  @Override
  public DeviceAddress address() {
    return real.address();
  }

  @Override
  public boolean coherent() {
    return real.coherent();
  }

  @Override
  public ConfigSpace config() {
    return real.config();
  }

  @Override
  public Bar bar(int bar) {
    return real.bar(bar);
  }

  @Override
  public Mmio mmio(int bar) {
    return real.mmio(bar);
  }

  @Override
  public MemorySegment memory(int bar) {
    return real.memory(bar);
  }

  @Override
  public Interrupts interrupts() {
    return real.interrupts();
  }

  @Override
  public void busMaster(boolean enabled) {
    real.busMaster(enabled);
  }

  @Override
  public void reset() {
    real.reset();
  }
}
