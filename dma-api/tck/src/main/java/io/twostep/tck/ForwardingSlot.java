package io.twostep.tck;

import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Mmio;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Passes every call on to a slot: the base of slots that seem to be something else, an untrusted device in the place of a trusted one, for instance.
 *
 * <p>Forwards the defaulted methods too. Compared by identity, as every slot is.
 */
public class ForwardingSlot implements DeviceSlot {
  /** What it stands before. */
  protected final DeviceSlot real;

  /** Stand before {@code real}. */
  public ForwardingSlot(DeviceSlot real) {
    this.real = Objects.requireNonNull(real, "real");
  }

  @Override
  public DeviceAddress address() {
    return real.address();
  }

  @Override
  public int deviceId() {
    return real.deviceId();
  }

  @Override
  public int classCode() {
    return real.classCode();
  }

  @Override
  public boolean trusted() {
    return real.trusted();
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
  public MemoryRegion publish(int bar, long offset, long length) {
    return real.publish(bar, offset, length);
  }

  @Override
  public void withdraw(MemoryRegion region) {
    real.withdraw(region);
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
