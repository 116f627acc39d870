package io.twostep.examples.compare;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Timers;
import java.util.List;

/** A machine as it is, but for one slot, whose translation takes no time. */
record InstantMachine(Machine machine, DeviceSlot slot, AddressSpace space) implements Machine {
  static InstantMachine of(Machine machine, DeviceSlot slot) {
    AddressSpace space = machine.addressSpaceFor(slot);
    boolean translated = space.translation() == AddressSpace.Translation.TRANSLATED;
    return new InstantMachine(machine, slot, translated ? new InstantIommu(space) : space);
  }

  @Override
  public String name() {
    return machine.name();
  }

  @Override
  public PhysicalMemory memory() {
    return machine.memory();
  }

  @Override
  public List<DeviceSlot> slots() {
    return List.of(slot);
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot of) {
    return space;
  }

  @Override
  public Timers timers() {
    return machine.timers();
  }

  @Override
  public void close() {}
}
