package io.twostep.examples.compare;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Timers;
import java.util.List;

/** A machine as one slot sees it, with memory and translation of the comparison's choice. */
record OneSlotMachine(Machine machine, DeviceSlot slot, AddressSpace space, PhysicalMemory memory) implements Machine {
  /** See a machine as it is, but for caches that are counted. */
  static OneSlotMachine counted(Machine machine, DeviceSlot slot, CountedCaches caches) {
    return new OneSlotMachine(machine, slot, machine.addressSpaceFor(slot), caches);
  }

  /** See a machine whose translation and whose caches take no time. */
  static OneSlotMachine instant(Machine machine, DeviceSlot slot) {
    AddressSpace space = machine.addressSpaceFor(slot);
    boolean translated = space.translation() == AddressSpace.Translation.TRANSLATED;
    return new OneSlotMachine(machine, slot, translated ? new InstantIommu(space) : space, new InstantCaches(machine.memory()));
  }

  @Override
  public String name() {
    return machine.name();
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
