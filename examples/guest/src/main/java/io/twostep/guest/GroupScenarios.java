package io.twostep.guest;

import static io.twostep.guest.EduScenarios.require;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.device.nvme.NvmeBio;
import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeDriverPlugin;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.linux.DriverBinding;
import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.LinuxMachine;
import io.twostep.machine.linux.LinuxMachineConfig;
import io.twostep.machine.linux.PciFunction;
import io.twostep.machine.linux.PciInventory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;

/** Two NVMe controllers that the IOMMU cannot tell apart: functions of one device. */
final class GroupScenarios {
  private static final LinuxMachineConfig CONFIG = LinuxMachineConfig.DEFAULT.withMemory(16 << 20);
  private static final int LENGTH = 64 << 10;
  private static final int BLOCK = 512;

  private GroupScenarios() {}

  /** Refuse the group while the kernel's driver has one of the two, naming it; serve it once that is bound to VFIO too. */
  static String groupIsUsableOnceAllOfItIsBound(List<String> pair) {
    DriverBinding.toKernel(HostPaths.USUAL, function(pair.get(1))).apply();
    require(function(pair.get(1)).driver().equals("nvme"), "the kernel's driver did not take " + pair.get(1));
    String refusal = refusal(pair.get(0));
    require(refusal.contains("not viable") && refusal.contains(pair.get(1) + " (nvme)"), refusal);
    DriverBinding.toVfio(HostPaths.USUAL, function(pair.get(1))).apply();
    try (LinuxMachine machine = LinuxMachine.open(CONFIG)) {
      machine.slot(new DeviceAddress(pair.get(0)));
    }
    return refusal;
  }

  private static String refusal(String address) {
    try (LinuxMachine machine = LinuxMachine.open(CONFIG)) {
      machine.slot(new DeviceAddress(address));
    } catch (IllegalStateException e) {
      return String.valueOf(e.getMessage());
    }
    throw new IllegalStateException("a group was opened of which the kernel has a device");
  }

  /** Write to both at once by one address space, and read back. */
  static String bothShareOneAddressSpace(List<String> pair) {
    try (LinuxMachine machine = LinuxMachine.open(CONFIG);
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
        NvmeController first = open(machine, iommu, pair.get(0));
        NvmeController second = open(machine, iommu, pair.get(1));
        MemoryBlock one = machine.memory().allocate(LENGTH, MemoryPlacement.SCATTERED);
        MemoryBlock two = machine.memory().allocate(LENGTH, MemoryPlacement.SCATTERED)) {
      DeviceSlot slot = machine.slot(new DeviceAddress(pair.get(0)));
      require(machine.addressSpaceFor(slot).members().size() == 2, "the two are not in one address space");
      byte[] ones = put(one, 1);
      byte[] twos = put(two, 2);
      CompletableFuture<NvmeBio> onFirst = first.namespace(1).writeAsync(0, LENGTH / BLOCK, one.ranges());
      CompletableFuture<NvmeBio> onSecond = second.namespace(1).writeAsync(0, LENGTH / BLOCK, two.ranges());
      onFirst.join().check();
      onSecond.join().check();
      first.namespace(1).read(0, two);
      second.namespace(1).read(0, one);
      require(Arrays.equals(two.segment().toArray(ValueLayout.JAVA_BYTE), ones), "other bytes came back from " + pair.get(0));
      require(Arrays.equals(one.segment().toArray(ValueLayout.JAVA_BYTE), twos), "other bytes came back from " + pair.get(1));
      return machine.addressSpaceFor(slot).name() + " of " + pair + ", " + LENGTH + " bytes each";
    }
  }

  private static byte[] put(MemoryBlock block, long seed) {
    byte[] bytes = new byte[LENGTH];
    new Random(seed).nextBytes(bytes);
    block.segment().copyFrom(MemorySegment.ofArray(bytes));
    return bytes;
  }

  private static NvmeController open(LinuxMachine machine, IommuBackend iommu, String address) {
    DeviceSlot slot = machine.slot(new DeviceAddress(address));
    return NvmeController.open(DriverContext.of(machine, slot, DmaStack.of(iommu), Settings.defaults(new NvmeDriverPlugin())));
  }

  private static PciFunction function(String address) {
    return PciInventory.find(HostPaths.USUAL, address).orElseThrow();
  }
}
