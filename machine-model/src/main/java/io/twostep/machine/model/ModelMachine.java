package io.twostep.machine.model;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.ModelHost;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Timers;
import io.twostep.dma.spi.Topology;
import io.twostep.machine.model.iommu.CostModel;
import io.twostep.machine.model.iommu.HardwareFormats;
import io.twostep.machine.model.iommu.ModelIommu;
import io.twostep.machine.model.memory.MmioMap;
import io.twostep.machine.model.memory.ModelMemory;
import io.twostep.machine.model.memory.PhysicalLayout;
import io.twostep.machine.model.memory.Rng;
import io.twostep.machine.model.pci.AccessControl;
import io.twostep.machine.model.pci.BusTraffic;
import io.twostep.machine.model.pci.HostBridge;
import io.twostep.machine.model.pci.InterruptQueue;
import io.twostep.machine.model.pci.ModelSlot;
import io.twostep.machine.model.pci.ModelSlot.PciHost;
import io.twostep.machine.model.pci.ModelSpace;
import io.twostep.machine.model.pci.PciFabric;
import io.twostep.machine.model.run.MachineLock;
import io.twostep.machine.model.run.Scheduler;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A machine in memory that hosts device models.
 *
 * <p>Thread-safe: models, registers and translation run under one lock; interrupt handlers, timers and fault listeners run outside it, on the thread that calls
 * {@link Timers#pause} or made the access. There is no thread of its own: whoever waits for a device calls {@code pause}. With one driver thread the same seed and
 * the same calls give the same run, bit for bit.
 */
public final class ModelMachine implements ModelHost {
  private final ModelMachineConfig config;
  private final MachineLock lock = new MachineLock();
  private final FailNth failNth = new FailNth();
  private final Rng rng;
  private final MmioMap mmio = new MmioMap();
  private final ModelMemory memory;
  private final InterruptQueue interrupts = new InterruptQueue();
  private final Scheduler scheduler;
  private final HostBridge bridge;
  private final @Nullable PciFabric fabric;
  private final PciHost host;
  private final List<ModelSlot> slots = new ArrayList<>();
  private final List<ModelSlot> everPlugged = new ArrayList<>();
  private final Map<String, ModelSpace> spaces = new HashMap<>();

  /** Those of {@link #spaces}, and those whose group became one of another kind since. */
  private final List<ModelSpace> everySpace = new ArrayList<>();

  private boolean closed;

  /** Whether the machine is closed all but its memory, which native code used. */
  private boolean memoryStays;

  private ModelMachine(ModelMachineConfig config) {
    this.config = config;
    rng = new Rng(config.seed());
    memory =
        new ModelMemory(PhysicalLayout.of(config.memory()), config.directory(), rng.split("memory"), mmio, () -> failNth.hits(FailNth.Kind.ALLOCATE));
    if (config.evictDirtyLines()) {
      memory.cache().evictAtRandom(rng.split("evictions"));
    }
    scheduler =
        new Scheduler(lock, config.virtualTime(), config.stepNanos(), config.randomOrder() ? rng.split("turns") : null, interrupts);
    bridge = new HostBridge(config.inboundWindows(), config.busBits() == 64 ? -1L : (1L << config.busBits()) - 1);
    Predicate<FailNth.Kind> fails = failNth::hits;
    fabric = config.tree().isBlank() ? null : new PciFabric(config.tree());
    host = new PciHost(memory, mmio, bridge, lock, scheduler, interrupts, config.isolateFunctions(), fabric, fails);
  }

  /** Make a machine. */
  public static ModelMachine create(ModelMachineConfig config) {
    return new ModelMachine(config);
  }

  @Override
  public String name() {
    return "model";
  }

  @Override
  public PhysicalMemory memory() {
    return memory;
  }

  @Override
  public List<DeviceSlot> slots() {
    lock.enter();
    try {
      return List.copyOf(slots);
    } finally {
      lock.exit();
    }
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot slot) {
    return own(slot).space();
  }

  @Override
  public Topology topology() {
    return fabric == null ? Topology.NONE : fabric;
  }

  /**
   * Set the access control of a port of the tree, as software does at run time; groups stay as they are.
   *
   * @param port such as {@code 0000:02:00.0}
   * @param services words joined by {@code +}: {@code sv tb rr cr uf ec dt}, {@code isolate}, {@code none}
   * @throws IllegalArgumentException if there is no such port or word
   */
  public void accessControl(String port, String services) {
    if (fabric == null) {
      throw new IllegalArgumentException(port + ": the machine has no tree; set 'tree'");
    }
    int bits = AccessControl.parse(services);
    lock.enter();
    try {
      fabric.accessControl(new DeviceAddress(port), bits);
    } finally {
      lock.exit();
    }
  }

  /** Return the bytes that a device moved to and from its peers. */
  public PeerBytes peerBytes(DeviceSlot slot) {
    BusTraffic traffic = own(slot).traffic();
    lock.enter();
    try {
      return new PeerBytes(traffic.directPeerBytes(), traffic.bridgedPeerBytes());
    } finally {
      lock.exit();
    }
  }

  @Override
  public Timers timers() {
    return scheduler;
  }

  @Override
  public DeviceSlot plug(DeviceAddress address, DeviceModel model, SlotOptions options) {
    if (failNth.hits(FailNth.Kind.PLUG)) {
      throw new IllegalStateException(address + ": plugging failed by order of FailNth");
    }
    lock.enter();
    try {
      requireOpen();
      requireFree(address);
      ModelSlot slot = new ModelSlot(address, model, options, spaceFor(address, options), host);
      if (!options.coherent()) {
        memory.cache().activate();
      }
      slots.add(slot);
      slots.sort(Comparator.comparing(ModelSlot::place));
      everPlugged.add(slot);
      connect(slot);
      return slot;
    } finally {
      lock.exit();
    }
  }

  /** Connect a slot, or leave no trace of it. */
  private void connect(ModelSlot slot) {
    try {
      slot.connect();
    } catch (RuntimeException e) {
      slots.remove(slot);
      everPlugged.remove(slot);
      try {
        slot.remove();
      } catch (RuntimeException inClose) {
        e.addSuppressed(inClose);
      }
      throw e;
    }
  }

  @Override
  public void unplug(DeviceAddress address) {
    Closing closing = new Closing();
    ModelSlot slot;
    lock.enter();
    try {
      slot = own(slot(address));
      slots.remove(slot);
      closing.then(slot::remove);
    } finally {
      lock.exit();
    }
    closing.then(slot::revokePublished).end();
  }

  /** Return the switch that makes chosen calls fail. */
  public FailNth failNth() {
    return failNth;
  }

  /** Return what the machine was made of. */
  public ModelMachineConfig config() {
    return config;
  }

  /** Return counters and holdings as of now. */
  public MachineStats stats() {
    lock.enter();
    try {
      Totals totals = new Totals();
      everySpace.forEach(totals::add);
      everPlugged.forEach(totals::add);
      return totals.stats(memory, scheduler.steps());
    } finally {
      lock.exit();
    }
  }

  /** Return the counters of one address space; null if nothing translates there. */
  public @Nullable IommuStats translationStats(AddressSpace space) {
    ModelIommu hardware = own(space).hardware();
    return hardware == null ? null : hardware.counters();
  }

  /** Return the latest faults of an address space, at most 256, oldest first. */
  public List<FaultRecord> faults(AddressSpace space) {
    ModelIommu hardware = own(space).hardware();
    lock.enter();
    try {
      return hardware == null ? List.of() : hardware.faults().latest();
    } finally {
      lock.exit();
    }
  }

  /**
   * Stop the devices and give everything back.
   *
   * <p>Blocks that mappings still hold, {@link MachineStats#blocksMapped}, are a mistake that stays visible in {@link #stats}: memory then goes with the last block, so
   * that mappings can still be taken down. Nothing else works from here on: what would hand out memory or link it throws IllegalStateException, and blocks that no mapping holds can be held by none any more, as if they
   * were closed.
   *
   * @throws IllegalStateException if native code uses a block's segment: the memory stays then until this is called again
   */
  @Override
  public void close() {
    Closing closing = new Closing();
    lock.enter();
    try {
      if (closed && !memoryStays) {
        return;
      }
      closed = true;
      memoryStays = false;
      while (!slots.isEmpty()) {
        // Taken out first: a model may pull out others while it is closed.
        closing.then(slots.removeFirst()::remove);
      }
      // Under the lock, so that no walk of tables is on.
      closing.then(this::closeMemory);
    } finally {
      lock.exit();
    }
    closing.end();
  }

  private void closeMemory() {
    memoryStays = true;
    memory.close();
    memoryStays = false;
  }

  private ModelSpace spaceFor(DeviceAddress address, SlotOptions options) {
    int bits = Math.min(options.addressBits(), config.addressBits());
    String group = group(address, options);
    ModelSpace known = spaces.get(group);
    if (known != null && known.translation() == options.translation() && known.addressBits() == bits) {
      return known;
    }
    if (known != null && !known.members().isEmpty()) {
      throw new IllegalArgumentException(
          address + ": group " + group + " is " + known.translation() + " with " + known.addressBits() + " bits; a member cannot be "
              + options.translation() + " with " + bits);
    }
    ModelSpace fresh = newSpace(group, options.translation(), bits);
    spaces.put(group, fresh);
    everySpace.add(fresh);
    return fresh;
  }

  private String group(DeviceAddress address, SlotOptions options) {
    if (!options.group().isEmpty()) {
      return options.group();
    }
    if (fabric != null) {
      return fabric.group(address);
    }
    return config.isolateFunctions() ? address.text() : address.text().substring(0, address.text().lastIndexOf(':'));
  }

  private ModelSpace newSpace(String group, Translation translation, int bits) {
    String name = "group " + group;
    ModelIommu iommu = null;
    if (translation == Translation.TRANSLATED) {
      iommu =
          new ModelIommu(
              name,
              memory,
              lock,
              config.iotlb(),
              new CostModel(config.missNanos(), config.tableReadNanos(), config.invalidationNanos()),
              new ModelIommu.Interception(() -> failNth.hits(FailNth.Kind.PUBLISH), () -> failNth.hits(FailNth.Kind.INVALIDATE)),
              HardwareFormats.of(config.formats(), bits, config.smallestPage(), config.largestPage()),
              bits,
              rng.split(name));
    }
    return new ModelSpace(name, translation, bits, iommu, bridge, fabric == null);
  }

  private ModelSlot own(DeviceSlot slot) {
    lock.enter();
    try {
      if (slot instanceof ModelSlot model && everPlugged.contains(model)) {
        return model;
      }
    } finally {
      lock.exit();
    }
    throw new IllegalArgumentException(slot.address() + " is not a slot of this machine");
  }

  private ModelSpace own(AddressSpace space) {
    lock.enter();
    try {
      if (space instanceof ModelSpace model && everySpace.contains(model)) {
        return model;
      }
    } finally {
      lock.exit();
    }
    throw new IllegalArgumentException(space.name() + " is not an address space of this machine");
  }

  /** Refuse what would come after the last device was stopped, even where {@link #close} has not come to the memory yet. */
  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("machine model is closed");
    }
  }

  private void requireFree(DeviceAddress address) {
    for (ModelSlot slot : slots) {
      if (slot.address().equals(address)) {
        throw new IllegalArgumentException(address + " is taken; unplug it first or choose another address");
      }
    }
  }
}
