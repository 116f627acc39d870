package io.twostep.dma.spi;

import io.twostep.dma.DeviceLimits;

/**
 * What a backend is told when a device is attached.
 *
 * @param machine the machine
 * @param slot the device
 * @param space the device's address space
 * @param limits what the device can address and digest
 * @param layer index of this layer's words in {@link MappingState}; -1 for the terminal
 */
public record AttachContext(
    Machine machine, DeviceSlot slot, AddressSpace space, DeviceLimits limits, int layer) {
  /** Return the device's name for messages. */
  public String device() {
    return slot.address().text();
  }

  /** Tell whether any device of the address space is untrusted: the strictest member decides. */
  public boolean untrusted() {
    for (DeviceSlot member : space.members()) {
      if (!member.trusted()) {
        return true;
      }
    }
    return !slot.trusted();
  }

  /** Return the highest DMA address that device and interconnect both pass, inclusive. */
  public long highestAddress() {
    long bus = space.busLimit();
    long mask = limits.highestAddress();
    return Long.compareUnsigned(mask, bus) < 0 ? mask : bus;
  }
}
