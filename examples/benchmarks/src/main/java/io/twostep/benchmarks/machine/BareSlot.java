package io.twostep.benchmarks.machine;

import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Mmio;
import java.lang.foreign.MemorySegment;

/** The slot of a trusted, coherent device that has nothing: no configuration space, no BAR, no interrupts. */
class BareSlot implements DeviceSlot {
  private final DeviceAddress address;

  BareSlot(String address) {
    this.address = new DeviceAddress(address);
  }

  @Override
  public final DeviceAddress address() {
    return address;
  }

  @Override
  public final boolean trusted() {
    return true;
  }

  @Override
  public final boolean coherent() {
    return true;
  }

  @Override
  public final ConfigSpace config() {
    throw new IllegalStateException(address + ": no configuration space");
  }

  @Override
  public final Bar bar(int bar) {
    return Bar.NONE;
  }

  @Override
  public Mmio mmio(int bar) {
    throw new IllegalArgumentException(address + ": no BAR");
  }

  @Override
  public final MemorySegment memory(int bar) {
    throw new IllegalArgumentException(address + ": no BAR that is memory");
  }

  @Override
  public Interrupts interrupts() {
    throw new IllegalStateException(address + ": no interrupts");
  }

  @Override
  public final void busMaster(boolean enabled) {}

  @Override
  public void reset() {}
}
