package io.twostep.guest.kit;

import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.dma.spi.Timers;
import io.twostep.tck.ForwardingSlot;
import io.twostep.tck.ForwardingSpace;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.opentest4j.TestAbortedException;

/** The kit's machine: what the kit plugs in moves a real controller. What no controller here can be, such as one that does not snoop caches, ends the test undecided. */
final class KitMachine implements ModelHost {
  private final ProbeHost host;
  private final Map<DeviceSlot, Space> seats = new LinkedHashMap<>();

  KitMachine(ProbeHost host) {
    this.host = host;
  }

  @Override
  public boolean keepsTranslations() {
    return true;
  }

  @Override
  public synchronized DeviceSlot plug(DeviceAddress address, DeviceModel model, SlotOptions options) {
    require(options.coherent(), "every device here sees CPU caches");
    require(options.group().isEmpty(), "groups are what the hardware makes them");
    require(options.translation() == host.translation(), "nothing here is " + options.translation() + " with these settings");
    require(model.bars().stream().noneMatch(bar -> bar.kind() == DeviceSlot.Bar.Kind.MEMORY), "the probe has no memory that the test could look into");
    NvmeProbe probe = host.tryTake();
    if (probe == null) {
      throw new TestAbortedException("the test needs more controllers in groups of their own than there are");
    }
    Slot slot = new Slot(probe, options.trusted());
    seats.put(slot, new Space(host.machine().addressSpaceFor(probe.slot()), slot));
    probe.busMaster(false);
    model.connect(probe, new Silence());
    return slot;
  }

  private static void require(boolean possible, String otherwise) {
    if (!possible) {
      throw new TestAbortedException(otherwise);
    }
  }

  @Override
  public void unplug(DeviceAddress address) {
    throw new TestAbortedException("nobody can pull a device out here");
  }

  @Override
  public String name() {
    return host.machine().name();
  }

  @Override
  public PhysicalMemory memory() {
    return host.machine().memory();
  }

  @Override
  public synchronized List<DeviceSlot> slots() {
    return new ArrayList<>(seats.keySet());
  }

  @Override
  public synchronized AddressSpace addressSpaceFor(DeviceSlot slot) {
    Space space = seats.get(slot);
    if (space == null) {
      throw new IllegalArgumentException(slot.address() + " is not a slot of this machine");
    }
    return space;
  }

  @Override
  public Timers timers() {
    return host.machine().timers();
  }

  /** Give the controllers back. */
  @Override
  public synchronized void close() {
    seats.values().forEach(space -> host.giveBack(space.member.probe));
    seats.clear();
  }

  /** The controller's slot, as trusted as the test wants it. */
  private static final class Slot extends ForwardingSlot {
    private final NvmeProbe probe;
    private final boolean trusted;

    Slot(NvmeProbe probe, boolean trusted) {
      super(probe.slot());
      this.probe = probe;
      this.trusted = trusted;
    }

    @Override
    public boolean trusted() {
      return trusted;
    }

    @Override
    public void busMaster(boolean enabled) {
      probe.busMaster(enabled);
    }

    @Override
    public void reset() {
      probe.reset();
    }
  }

  /** The group's address space, without the lane. */
  private final class Space extends ForwardingSpace {
    private final SpaceOwner owner = new SpaceOwner();
    private final Slot member;

    Space(AddressSpace real, Slot member) {
      super(real);
      this.member = member;
    }

    /** Return an owner of its own for each test, so that what one left does not keep the next from the address space. */
    @Override
    public SpaceOwner owner() {
      return owner;
    }

    @Override
    public List<DeviceSlot> members() {
      return List.of(member);
    }

    @Override
    public List<AddressRange> reserved() {
      List<AddressRange> reserved = new ArrayList<>(real.reserved());
      if (real.translation() == Translation.TRANSLATED) {
        reserved.add(host.lane().lane(real));
      }
      return reserved;
    }
  }

  /** Nobody listens to the kit's device: it has no interrupts and no work of its own. */
  private final class Silence implements DeviceModel.Signals {
    @Override
    public void interrupt(int vector) {
      throw new IndexOutOfBoundsException(vector);
    }

    @Override
    public void wake() {}

    @Override
    public void wakeAfter(long delayNanos) {}

    @Override
    public long nanoTime() {
      return timers().nanoTime();
    }
  }
}
