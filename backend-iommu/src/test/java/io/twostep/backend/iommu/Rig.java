package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.dma.spi.Timers;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachinePlugin;
import io.twostep.tck.ForwardingSpace;
import io.twostep.tck.ForwardingTimers;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** A modelled machine with probe devices, whose translation hardware a test may wrap or replace. */
final class Rig implements Machine {
  final ModelMachine machine;
  final List<AddressRange> reserved = new ArrayList<>();
  private final Timers timers;
  private final Function<TableWalkingIommu, Iommu> wrap;
  private final Map<AddressSpace, AddressSpace> spaces = new IdentityHashMap<>();
  private int plugged;

  /** Whether the clock takes no tasks. */
  boolean refusesTimers;

  Rig(Function<TableWalkingIommu, Iommu> wrap, String... settings) {
    Map<String, String> given = new HashMap<>(Map.of("memory", "256M"));
    for (int i = 0; i < settings.length; i += 2) {
      given.put(settings[i], settings[i + 1]);
    }
    this.wrap = wrap;
    machine = (ModelMachine) new ModelMachinePlugin().create(Settings.of(new ModelMachinePlugin(), given));
    timers = new Clock(machine.timers());
  }

  Rig(String... settings) {
    this(iommu -> iommu, settings);
  }

  /** Plugs a probe into the next slot. */
  DeviceSlot plug(ProbeDevice device, SlotOptions options) {
    plugged++;
    DeviceSlot slot = machine.plug(new DeviceAddress("0000:0%d:00.0".formatted(plugged)), device, options);
    slot.busMaster(true);
    return slot;
  }

  DmaMapper attach(IommuBackend backend, DeviceSlot slot, DeviceLimits limits) {
    return DmaStack.of(backend).attach(this, slot, limits);
  }

  /** Checks that a backend without devices has neither addresses nor tables, and that none were left behind. */
  static void requireGivenBack(IommuBackend backend) {
    assertThat(backend.statistics().leaks()).isZero();
    assertThat(backend.statistics().liveRanges()).isZero();
    assertThat(backend.statistics().tableBytes()).isZero();
  }

  AttachContext context(DeviceSlot slot, DeviceLimits limits) {
    return new AttachContext(this, slot, addressSpaceFor(slot), limits, -1);
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
    return machine.slots();
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot slot) {
    return spaces.computeIfAbsent(machine.addressSpaceFor(slot), Space::new);
  }

  @Override
  public Timers timers() {
    return timers;
  }

  @Override
  public void close() {
    machine.close();
  }

  /** The model's clock, which may refuse tasks. */
  private final class Clock extends ForwardingTimers {
    Clock(Timers real) {
      super(real);
    }

    @Override
    public Timer schedule(long delayNanos, Runnable task) {
      if (refusesTimers) {
        throw new IllegalStateException("the clock takes no tasks");
      }
      return super.schedule(delayNanos, task);
    }
  }

  /** The model's address space with wrapped hardware and more reserved ranges. */
  private final class Space extends ForwardingSpace {
    private final Iommu iommu;

    Space(AddressSpace real) {
      super(real);
      this.iommu = real.translation() == Translation.TRANSLATED ? wrap.apply((TableWalkingIommu) real.iommu()) : null;
    }

    @Override
    public Iommu iommu() {
      return iommu == null ? real.iommu() : iommu;
    }

    @Override
    public List<AddressRange> reserved() {
      List<AddressRange> all = new ArrayList<>(real.reserved());
      all.addAll(reserved);
      return all;
    }
  }
}
