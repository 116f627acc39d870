package io.twostep.backend.p2p;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Timers;
import io.twostep.dma.spi.Topology;
import java.util.List;

/** A machine on which a host kernel translates for one device; its memory is the model's, or stands before it. */
record HostedMachine(Machine model, PhysicalMemory memory, DeviceSlot hosted, HostedSpace space) implements Machine {
  @Override
  public String name() {
    return "hosted " + model.name();
  }

  @Override
  public List<DeviceSlot> slots() {
    return model.slots();
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot slot) {
    return slot == hosted ? space : model.addressSpaceFor(slot);
  }

  @Override
  public Topology topology() {
    return model.topology();
  }

  @Override
  public Timers timers() {
    return model.timers();
  }

  @Override
  public void close() {
    model.close();
  }
}
