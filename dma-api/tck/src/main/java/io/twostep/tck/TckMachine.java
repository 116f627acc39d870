package io.twostep.tck;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.ModelHost;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.dma.spi.Timers;
import io.twostep.dma.spi.Topology;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A machine that watches what a backend does to it: counts what is taken, knows who took it, and fails the n-th call when told to.
 *
 * <p>Stands on any machine that hosts device models.
 */
public final class TckMachine implements Machine {
  private final ModelHost real;
  private final long hostGranule;
  private final boolean writersRead;
  private final FaultPlan faults = new FaultPlan();
  private final WatchedMemory memory;
  private final Timers timers;
  private final List<HostTable> tables = new ArrayList<>();
  private final IdentityHashMap<AddressSpace, Space> spaces = new IdentityHashMap<>();
  private int nextBus;

  TckMachine(ModelHost real, long hostGranule, boolean writersRead, int firstBus, boolean still) {
    this.real = real;
    this.hostGranule = hostGranule;
    this.writersRead = writersRead;
    nextBus = firstBus;
    timers = still ? new StoppedClock(real.timers()) : real.timers();
    memory = new WatchedMemory(real.memory(), faults);
  }

  /** Plug a probe into the next slot and let it master the bus. */
  public DeviceSlot plug(ProbeDevice device, SlotOptions options) {
    boolean byHost = hostGranule != 0 && !real.keepsTranslations() && options.translation() == AddressSpace.Translation.TRANSLATED;
    SlotOptions below = byHost ? options.withTranslation(AddressSpace.Translation.NONE) : options;
    DeviceSlot slot = real.plug(new DeviceAddress("0000:%02x:00.0".formatted(nextBus++)), device, below);
    slot.busMaster(true);
    if (byHost) {
      HostTable table = new HostTable(faults, hostGranule, writersRead);
      tables.add(table);
      synchronized (spaces) {
        AddressSpace behind = real.addressSpaceFor(slot);
        if (spaces.put(behind, new Space(behind, table)) != null) {
          throw new IllegalStateException(slot.address() + " shares its group: the kit gives every device a host's table of its own");
        }
      }
      device.through(table::translate);
    }
    return slot;
  }

  /** Pull a device out without warning. */
  public void unplug(DeviceSlot slot) {
    real.unplug(slot.address());
  }

  /** Return what makes calls fail. */
  public FaultPlan faults() {
    return faults;
  }

  /** Return how many bytes of blocks are allocated, the backend's and the test's. */
  public long bytesHeld() {
    return memory.bytesHeld();
  }

  /** Return what was taken and not given back, each with the trace of who took it. */
  public List<Throwable> leaks() {
    return memory.leaks();
  }

  /** Return the heap bytes that the kit's own part of this machine has allocated until now: the books of its hosts. */
  long garbage() {
    long bytes = 0;
    for (int i = 0; i < tables.size(); i++) {
      bytes += tables.get(i).garbage();
    }
    return bytes;
  }

  /** Run {@code task} whenever the backend asks for an invalidation of the slot's address space, before it happens. */
  public void beforeInvalidation(DeviceSlot slot, Runnable task) {
    WatchedIommu watched = spaceOf(slot).watched;
    if (watched == null) {
      throw new IllegalStateException(slot.address() + " has no tables that the backend invalidates");
    }
    watched.beforeInvalidation = task;
  }

  @Override
  public String name() {
    return real.name();
  }

  @Override
  public PhysicalMemory memory() {
    return memory;
  }

  @Override
  public List<DeviceSlot> slots() {
    return real.slots();
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot slot) {
    return spaceOf(slot);
  }

  private Space spaceOf(DeviceSlot slot) {
    synchronized (spaces) {
      return spaces.computeIfAbsent(real.addressSpaceFor(slot), space -> new Space(space, null));
    }
  }

  @Override
  public Topology topology() {
    return real.topology();
  }

  @Override
  public Timers timers() {
    return timers;
  }

  @Override
  public void close() {
    real.close();
  }

  /** The machine's address space, with its hardware watched or replaced by a host. */
  private final class Space extends ForwardingSpace {
    private final @Nullable HostTable host;
    private final @Nullable WatchedIommu watched;
    private final @Nullable WatchedHost watchedHost;

    Space(AddressSpace real, @Nullable HostTable host) {
      super(real);
      this.host = host;
      watched =
          host == null && real.translation() == Translation.TRANSLATED && real.iommu() instanceof TableWalkingIommu tables
              ? new WatchedIommu(tables, faults)
              : null;
      watchedHost = host == null && real.translation() == Translation.TRANSLATED && real.iommu() instanceof HostManagedIommu mappings ? new WatchedHost(mappings, faults) : null;
    }

    @Override
    public Translation translation() {
      return host == null ? real.translation() : Translation.TRANSLATED;
    }

    @Override
    public Iommu iommu() {
      return host != null ? host : watched != null ? watched : watchedHost != null ? watchedHost : real.iommu();
    }
  }
}
