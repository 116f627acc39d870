package io.twostep.machine.linux;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Timers;
import io.twostep.dma.spi.Topology;
import io.twostep.machine.linux.LinuxMachineConfig.Addressing;
import io.twostep.machine.linux.PciFunction.PciBar;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.memory.DeviceWindows;
import io.twostep.machine.linux.memory.ProcessMemory;
import io.twostep.machine.linux.memory.Ram;
import io.twostep.machine.linux.memory.RamOptions;
import io.twostep.machine.linux.memory.RamOptions.PageSize;
import io.twostep.machine.linux.pci.SysfsFabric;
import io.twostep.machine.linux.pci.SysfsPci;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.slot.GroupSpace;
import io.twostep.machine.linux.slot.KernelFaults;
import io.twostep.machine.linux.slot.VfioSlot;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This computer, through VFIO: a device is opened, with its whole IOMMU group, when its slot is first asked for.
 *
 * <p>Closing stops every device before anything is given back. If one cannot be shown to have stopped, the memory stays mapped for the life of the process: {@link #isQuarantined}.
 */
public final class LinuxMachine implements Machine {
  private static final Logger LOG = LoggerFactory.getLogger(LinuxMachine.class);

  private final LinuxMachineConfig config;
  private final Kernel kernel;
  private final SysfsPci pci;
  private final SysfsFabric fabric;
  private final ProcessMemory memory;
  private final EventLoop loop;
  private final KernelFaults faults;
  private final VfioSlot.Shared shared;
  private final Map<Integer, GroupSpace> groups = new TreeMap<>();
  private final Map<String, VfioSlot> slots = new TreeMap<>();
  private boolean closed;
  private volatile boolean quarantined;

  private LinuxMachine(LinuxMachineConfig config, Kernel kernel) {
    this.config = config;
    this.kernel = kernel;
    pci = new SysfsPci(config.paths());
    fabric = new SysfsFabric(config.paths());
    Ram ram = Ram.map(kernel, new RamOptions(config.memory(), page(config.pageSize()), config.shared(), config.memoryFile()));
    try {
      DeviceWindows windows = new DeviceWindows();
      memory = new ProcessMemory(ram, windows);
      loop = new EventLoop(kernel, "linux");
      faults = new KernelFaults(kernel, config.paths(), loop);
      shared = new VfioSlot.Shared(kernel, loop, windows, config.trusted(), config.vectors());
    } catch (RuntimeException e) {
      throw Closing.after(e, ram::close);
    }
  }

  private static PageSize page(long bytes) {
    return bytes == PageSize.SMALL.bytes() ? PageSize.SMALL : bytes == PageSize.HUGE_2M.bytes() ? PageSize.HUGE_2M : PageSize.HUGE_1G;
  }

  /**
   * Map the memory; no device is opened yet.
   *
   * @throws SystemCallException if there is no such memory, with what to do
   * @throws UnsupportedOperationException on another processor than x86-64, where the order of stores before registers was not proved
   */
  public static LinuxMachine open(LinuxMachineConfig config) {
    String processor = System.getProperty("os.arch");
    if (!processor.equals("amd64")) {
      throw new UnsupportedOperationException("machine linux runs on x86-64; this is " + processor);
    }
    return open(config, Kernel.host());
  }

  static LinuxMachine open(LinuxMachineConfig config, Kernel kernel) {
    return new LinuxMachine(config, kernel);
  }

  @Override
  public String name() {
    return "linux";
  }

  @Override
  public PhysicalMemory memory() {
    return memory;
  }

  /** Return the slots that were opened. */
  @Override
  public synchronized List<DeviceSlot> slots() {
    return List.copyOf(slots.values());
  }

  /**
   * Return the slot of a PCI function, opening it if this is the first time.
   *
   * @throws IllegalArgumentException if there is no such function, naming those bound to VFIO
   * @throws SystemCallException if the kernel does not hand it over, with what to do
   * @throws DmaMappingException PIN_LIMIT if all memory is to be registered and may not be pinned
   */
  @Override
  public synchronized DeviceSlot slot(DeviceAddress address) {
    if (closed) {
      throw new IllegalStateException("machine linux is closed");
    }
    VfioSlot known = slots.get(address.text());
    if (known != null) {
      return known;
    }
    PciFunction function = pci.find(address.text()).orElseThrow(() -> absent(address));
    requireUsable(function);
    GroupSpace open = groups.get(function.group());
    GroupSpace space = open == null ? openGroup(function) : open;
    VfioSlot slot;
    try {
      slot = VfioSlot.open(function, space, shared);
    } catch (RuntimeException e) {
      throw open == null ? Closing.after(e, space::close) : e;
    }
    groups.put(function.group(), space);
    slots.put(address.text(), slot);
    fabric.join(slot);
    return slot;
  }

  private IllegalArgumentException absent(DeviceAddress address) {
    List<String> bound = pci.list().stream().filter(PciFunction::isBoundToVfio).map(PciFunction::address).toList();
    return new IllegalArgumentException(
        "no PCI function " + address + "; " + (bound.isEmpty() ? "none is bound to vfio-pci" : "bound to vfio-pci: " + bound) + "; see './twostep devices'");
  }

  private static void requireUsable(PciFunction function) {
    if (function.group() < 0) {
      throw new IllegalStateException(
          function.address() + ": no IOMMU translates for it; switch the IOMMU on, in the firmware and on the kernel's command line (intel_iommu=on)");
    }
    if (!function.isBoundToVfio()) {
      throw new IllegalStateException(
          function.address()
              + ": its driver is "
              + (function.driver().isEmpty() ? "none" : function.driver())
              + "; bind it to vfio-pci: './twostep devices --bind "
              + function.address()
              + "' tells how");
    }
  }

  private GroupSpace openGroup(PciFunction function) {
    List<String> members = new ArrayList<>(function.companions());
    members.add(function.address());
    return GroupSpace.open(
        new GroupSpace.Host(kernel, config.paths(), faults),
        function.group(),
        members.stream().map(pci::find).flatMap(Optional::stream).toList(),
        decoded(),
        config.addressing() == Addressing.REGISTERED ? new GroupSpace.Registered(memory.ram(), Math.max(config.pageSize(), PageSize.HUGE_2M.bytes())) : null);
  }

  /** Return the bus addresses of all BARs: requests there may never reach the IOMMU. */
  private List<AddressRange> decoded() {
    List<AddressRange> decoded = new ArrayList<>();
    for (PciFunction function : pci.list()) {
      for (PciBar bar : function.bars()) {
        if (bar.length() != 0 && !bar.io()) {
          long first = bar.busAddress() & -4096L;
          decoded.add(new AddressRange(first, bar.busAddress() + bar.length() - 1 | 4095L, "BAR of " + function.address()));
        }
      }
    }
    return decoded;
  }

  @Override
  public synchronized AddressSpace addressSpaceFor(DeviceSlot slot) {
    if (slot instanceof VfioSlot mine && slots.get(slot.address().text()) == mine) {
      return mine.space();
    }
    throw new IllegalArgumentException(slot.address() + " is not a slot of this machine");
  }

  /** Return the PCI tree as it was when the latest device was opened; ports whose access control this process may not read count as redirecting. */
  @Override
  public Topology topology() {
    return fabric;
  }

  @Override
  public Timers timers() {
    return loop;
  }

  /** Tell whether a device could not be shown to have stopped, so that the memory was left mapped. */
  public boolean isQuarantined() {
    return quarantined;
  }

  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    List<String> running = slots.values().stream().filter(slot -> !slot.tryStop()).map(slot -> slot.address().text()).toList();
    quarantined = !running.isEmpty();
    RuntimeException failure =
        new Closing()
            .thenEach(slots.values(), VfioSlot::close)
            .thenEach(groups.values(), GroupSpace::close)
            .then(faults::close)
            .then(loop::close)
            .then(quarantined ? memory::quarantine : memory::close)
            .failure();
    if (quarantined) {
      LOG.warn("devices {} could not be shown to have stopped: {} bytes of memory stay mapped", running, config.memory());
      DmaMappingException left =
          new DmaMappingException(
              Reason.QUARANTINED,
              "devices " + running + " could not be shown to have stopped; their memory stays mapped until this process ends; reset them, or power the computer down");
      if (failure != null) {
        left.addSuppressed(failure);
      }
      throw left;
    }
    if (failure != null) {
      throw failure;
    }
  }

  @Override
  public String toString() {
    return "linux";
  }
}
