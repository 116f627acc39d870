package io.twostep.dma.spi;

import java.util.List;

/** Everything below the mapping layer: memory, device slots, address spaces, time. Thread-safe. */
public interface Machine extends AutoCloseable {
  /** Return the machine's name for messages. */
  String name();

  /** Return the memory. */
  PhysicalMemory memory();

  /** Return the slots that hold a device, in address order. */
  List<DeviceSlot> slots();

  /**
   * Return the slot at an address.
   *
   * @throws IllegalArgumentException if there is no device, naming those there are
   */
  default DeviceSlot slot(DeviceAddress address) {
    for (DeviceSlot slot : slots()) {
      if (slot.address().equals(address)) {
        return slot;
      }
    }
    throw new IllegalArgumentException(
        name() + ": no device at " + address + "; found: " + slots().stream().map(DeviceSlot::address).toList());
  }

  /** Return the address space of a slot: the same object for every member of a group. */
  AddressSpace addressSpaceFor(DeviceSlot slot);

  /** Return how the devices reach each other; a machine that does not know says {@link Topology#NONE}, and its devices reach no peers. */
  default Topology topology() {
    return Topology.NONE;
  }

  /** Return the clock. */
  Timers timers();

  /** Stop the devices and give everything back. Comes last: unmap, close mappers, close blocks, then the machine. */
  @Override
  void close();
}
