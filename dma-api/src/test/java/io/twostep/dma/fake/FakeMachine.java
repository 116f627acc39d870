package io.twostep.dma.fake;

import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.dma.spi.Timers;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** A machine with memory and slots and nothing else: backends of the tests bring their own translation. */
public final class FakeMachine implements Machine {
  public final Faults faults = new Faults();
  public final FakeMemory memory = new FakeMemory(faults);
  public final List<OffsetWindow> offsetWindows = new ArrayList<>();

  private final FakeTimers timers = new FakeTimers();
  private final List<DeviceSlot> slots = new ArrayList<>();
  private final Map<DeviceSlot, Space> spaces = new IdentityHashMap<>();

  /** Add a device of its own address space. */
  public DeviceSlot addSlot(String address, boolean coherent) {
    Space space = new Space("space of " + address, offsetWindows);
    return addSlot(address, coherent, space);
  }

  /** Add a device to the address space of another. */
  public DeviceSlot addSlotBeside(String address, DeviceSlot sibling) {
    return addSlot(address, sibling.coherent(), java.util.Objects.requireNonNull(spaces.get(sibling)));
  }

  private DeviceSlot addSlot(String address, boolean coherent, Space space) {
    Slot slot = new Slot(new DeviceAddress(address), coherent);
    slots.add(slot);
    space.members().add(slot);
    spaces.put(slot, space);
    return slot;
  }

  @Override
  public String name() {
    return "fake";
  }

  @Override
  public FakeMemory memory() {
    return memory;
  }

  @Override
  public List<DeviceSlot> slots() {
    return slots;
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot slot) {
    return java.util.Objects.requireNonNull(spaces.get(slot));
  }

  @Override
  public Timers timers() {
    return timers;
  }

  @Override
  public void close() {}

  private static final class Space implements AddressSpace {
    private final SpaceOwner owner = new SpaceOwner();
    private final String name;
    private final List<OffsetWindow> offsetWindows;
    private final List<DeviceSlot> members = new ArrayList<>();

    Space(String name, List<OffsetWindow> offsetWindows) {
      this.name = name;
      this.offsetWindows = offsetWindows;
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
      throw new IllegalStateException("none");
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

    @Override
    public List<OffsetWindow> offsetWindows() {
      return offsetWindows;
    }
  }

  private record Slot(DeviceAddress address, boolean coherent) implements DeviceSlot {
    @Override
    public boolean trusted() {
      return true;
    }

    @Override
    public ConfigSpace config() {
      throw lacks("configuration space");
    }

    @Override
    public Bar bar(int bar) {
      return Bar.NONE;
    }

    @Override
    public Mmio mmio(int bar) {
      throw lacks("registers");
    }

    @Override
    public MemorySegment memory(int bar) {
      throw lacks("memory");
    }

    @Override
    public Interrupts interrupts() {
      throw lacks("interrupts");
    }

    @Override
    public void busMaster(boolean enabled) {}

    @Override
    public void reset() {}

    private UnsupportedOperationException lacks(String what) {
      return new UnsupportedOperationException(address + ": devices of the fake machine have no " + what);
    }
  }
}
