package io.twostep.platform;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.ModelHost;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.dma.spi.Timers;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A machine that only remembers what it was told. */
class FakeMachine implements Machine {
  final List<String> journal;
  final Map<String, FakeSlot> slots = new HashMap<>();
  final Map<String, FakeSpace> groups = new HashMap<>();
  final MemoryRegion ram = new MemoryRegion(MemoryKind.RAM, "fake memory");

  FakeMachine(List<String> journal) {
    this.journal = journal;
  }

  /** The same, hosting models. */
  static final class Host extends FakeMachine implements ModelHost {
    Host(List<String> journal) {
      super(journal);
    }

    @Override
    public DeviceSlot plug(DeviceAddress address, DeviceModel model, SlotOptions options) {
      if (!address.text().matches("[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]")) {
        throw new IllegalArgumentException("'" + address + "' is not a PCI address");
      }
      journal.add("plug " + address);
      FakeSlot slot = add(address.text(), options.group());
      slot.model = model;
      slot.options = options;
      return slot;
    }

    @Override
    public void unplug(DeviceAddress address) {
      slots.remove(address.text());
    }
  }

  FakeSlot add(String address, String group) {
    FakeSlot slot = new FakeSlot(address, this);
    slots.put(address, slot);
    slot.space = groups.computeIfAbsent(group.isEmpty() ? address : group, FakeSpace::new);
    slot.space.members.add(slot);
    return slot;
  }

  @Override
  public String name() {
    return "fake";
  }

  @Override
  public PhysicalMemory memory() {
    return new FakeMemory(ram);
  }

  @Override
  public List<DeviceSlot> slots() {
    return List.copyOf(slots.values());
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot slot) {
    return ((FakeSlot) slot).space;
  }

  @Override
  public Timers timers() {
    throw new UnsupportedOperationException("the fake machine has no clock");
  }

  @Override
  public void close() {
    journal.add("close machine");
    for (FakeSlot slot : slots.values()) {
      if (slot.model != null) {
        slot.model.close();
      }
    }
  }

  /** An address space without translation. */
  static final class FakeSpace implements AddressSpace {
    private final SpaceOwner owner = new SpaceOwner();
    final String name;
    final List<DeviceSlot> members = new ArrayList<>();

    FakeSpace(String name) {
      this.name = "group " + name;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public Translation translation() {
      return Translation.NONE;
    }

    @Override
    public Iommu iommu() {
      throw new IllegalStateException("nothing translates");
    }

    @Override
    public SpaceOwner owner() {
      return owner;
    }

    @Override
    public List<DeviceSlot> members() {
      return members;
    }

    @Override
    public List<AddressRange> reserved() {
      return List.of();
    }
  }

  /** A slot that remembers whether its device was stopped. */
  static final class FakeSlot implements DeviceSlot {
    final DeviceAddress address;
    final FakeMachine machine;
    FakeSpace space;
    DeviceModel model;
    ModelHost.SlotOptions options = ModelHost.SlotOptions.DEFAULT;
    boolean refusesReset;

    FakeSlot(String address, FakeMachine machine) {
      this.address = new DeviceAddress(address);
      this.machine = machine;
    }

    @Override
    public DeviceAddress address() {
      return address;
    }

    @Override
    public int deviceId() {
      return 0x00101b36;
    }

    @Override
    public int classCode() {
      return 0x010802;
    }

    @Override
    public boolean trusted() {
      return options.trusted();
    }

    @Override
    public boolean coherent() {
      return options.coherent();
    }

    @Override
    public ConfigSpace config() {
      throw new UnsupportedOperationException("the fake slot has no configuration space");
    }

    @Override
    public Bar bar(int bar) {
      return Bar.NONE;
    }

    @Override
    public Mmio mmio(int bar) {
      throw new IllegalArgumentException("no BAR " + bar);
    }

    @Override
    public MemorySegment memory(int bar) {
      throw new IllegalArgumentException("no BAR " + bar);
    }

    @Override
    public Interrupts interrupts() {
      throw new UnsupportedOperationException("the fake slot has no interrupts");
    }

    @Override
    public void busMaster(boolean enabled) {
      machine.journal.add((enabled ? "start " : "stop ") + address);
    }

    @Override
    public void reset() {
      machine.journal.add("reset " + address);
      if (refusesReset) {
        throw new IllegalStateException("the reset timed out");
      }
    }
  }

  /** Memory of which every address is RAM. */
  record FakeMemory(MemoryRegion ram) implements PhysicalMemory {
    @Override
    public long frameSize() {
      return 4096;
    }

    @Override
    public long highestAddress() {
      return 0xffff_ffffL;
    }

    @Override
    public MemoryRegion regionOf(long phys, long length) {
      return ram;
    }

    @Override
    public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
      throw new UnsupportedOperationException("the fake memory has no bytes");
    }

    @Override
    public MemorySegment segment(long phys, long length) {
      throw new UnsupportedOperationException("the fake memory has no bytes");
    }

    @Override
    public void read(long phys, MemorySegment target, long offset, long length) {
      throw new UnsupportedOperationException("the fake memory has no bytes");
    }

    @Override
    public void write(long phys, MemorySegment source, long offset, long length) {
      throw new UnsupportedOperationException("the fake memory has no bytes");
    }

    @Override
    public int ranges(MemorySegment segment, long offset, long[] phys, long[] length) {
      return -1;
    }

    @Override
    public long cacheLine() {
      return 64;
    }

    @Override
    public void cleanCache(long phys, long length) {}

    @Override
    public void invalidateCache(long phys, long length) {}

    @Override
    public AutoCloseable beforeReuse(Runnable flush) {
      return () -> {};
    }
  }
}
