package io.twostep.machine.linux.slot;

import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.memory.Ram;
import io.twostep.machine.linux.pci.FileHolders;
import io.twostep.machine.linux.vfio.VfioDevice;
import io.twostep.machine.linux.vfio.VfioGroup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The address space of an IOMMU group, in a container of its own.
 *
 * <p>Translated: the kernel maps on request. Registered: all memory was mapped when the group was opened, and nothing translates per request any more; what is not this memory
 * stays out of the devices' reach.
 */
public final class GroupSpace implements AddressSpace, AutoCloseable {
  private static final int BOTH_WAYS = MapFlags.DEVICE_READS | MapFlags.DEVICE_WRITES;

  private final SpaceOwner owner = new SpaceOwner();
  private final String name;
  private final VfioGroup group;
  private final VfioIommu iommu;
  private final List<AddressRange> reserved;
  private final List<OffsetWindow> windows;
  private final boolean registered;
  private final List<DeviceSlot> members = new CopyOnWriteArrayList<>();

  private GroupSpace(String name, VfioGroup group, VfioIommu iommu, List<AddressRange> reserved, List<OffsetWindow> windows, boolean registered) {
    this.name = name;
    this.group = group;
    this.iommu = iommu;
    this.reserved = reserved;
    this.windows = windows;
    this.registered = registered;
  }

  /** What all groups of a machine share; {@code faults} is where refused accesses are told. */
  public record Host(Kernel kernel, HostPaths paths, KernelFaults faults) {}

  /** Memory to register, whose I/O and physical addresses agree below {@code alignment}, a power of two. */
  public record Registered(Ram ram, long alignment) {}

  /**
   * Open a group.
   *
   * @param members all functions in it
   * @param decoded bus addresses of BARs: devices may answer each other there, past the IOMMU
   * @param memory what to register; null to translate
   */
  public static GroupSpace open(Host host, int number, List<PciFunction> members, List<AddressRange> decoded, @Nullable Registered memory) {
    String name = "IOMMU group " + number;
    VfioGroup group = openGroup(host, number, members);
    try {
      MemoryLocks locks = new MemoryLocks(host.paths);
      VfioIommu iommu = new VfioIommu(name, group.container(), locks, host.faults, address -> members.stream().anyMatch(member -> member.requestsAs(address)));
      List<AddressRange> reserved = new ArrayList<>(ReservedRegions.read(host.paths, number));
      reserved.addAll(decoded);
      List<OffsetWindow> windows = List.of();
      if (memory != null) {
        Ram ram = memory.ram;
        locks.require(name, ram.length());
        windows = Registration.plan(name, ram.first(), ram.length(), iommu.windows(), reserved, memory.alignment);
        for (OffsetWindow window : windows) {
          iommu.map(window.firstDmaAddress(), window.firstPhys(), window.length(), BOTH_WAYS);
        }
      }
      return new GroupSpace(name, group, iommu, List.copyOf(reserved), windows, memory != null);
    } catch (RuntimeException e) {
      throw Closing.after(e, group::close);
    }
  }

  private static VfioGroup openGroup(Host host, int number, List<PciFunction> members) {
    try {
      return VfioGroup.open(host.kernel, host.paths.vfio(), number, describe(members));
    } catch (SystemCallException e) {
      List<String> holders = e.errno() == Errno.EBUSY ? FileHolders.of(host.paths, Path.of(e.subject())) : List.of();
      throw holders.isEmpty() ? e : e.explained(e.subject(), String.join(", ", holders) + " has the group open; end it");
    }
  }

  /** Those that keep the group from being used say how to change that. */
  private static String describe(List<PciFunction> members) {
    return members.stream().map(GroupSpace::describe).sorted().collect(Collectors.joining(", "));
  }

  private static String describe(PciFunction member) {
    String driver = member.driver().isEmpty() ? "no driver" : member.driver();
    boolean foreign = !member.isBridge() && !member.isBoundToVfio() && !member.driver().isEmpty();
    return member.address() + " (" + driver + ")" + (foreign ? " [./twostep devices --bind " + member.address() + "]" : "");
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Translation translation() {
    return registered ? Translation.NONE : Translation.TRANSLATED;
  }

  @Override
  public Iommu iommu() {
    if (registered) {
      throw new IllegalStateException(name + ": all memory is registered, and nothing translates per request; set 'addressing' to translated");
    }
    return iommu;
  }

  @Override
  public SpaceOwner owner() {
    return owner;
  }

  @Override
  public List<DeviceSlot> members() {
    return List.copyOf(members);
  }

  @Override
  public List<AddressRange> reserved() {
    return reserved;
  }

  @Override
  public List<OffsetWindow> offsetWindows() {
    return windows;
  }

  VfioDevice openDevice(String address) {
    return group.openDevice(address);
  }

  void join(DeviceSlot slot) {
    members.add(slot);
  }

  /** Give the group back; the kernel unmaps all that is still mapped. */
  @Override
  public void close() {
    group.close();
  }
}
