package io.twostep.guest;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugBackendPlugin;
import io.twostep.backend.debug.Rule;
import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.Timers;
import io.twostep.machine.linux.LinuxMachine;
import io.twostep.machine.linux.LinuxMachineConfig;
import io.twostep.machine.linux.LinuxMachineConfig.Addressing;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** What a device of 28 address bits reaches, and what it does not. */
final class EduScenarios {
  private static final LinuxMachineConfig CONFIG = LinuxMachineConfig.DEFAULT.withMemory(16 << 20);
  private static final DeviceLimits LIMITS = DeviceLimits.ofBits(EduDevice.ADDRESS_BITS);

  private EduScenarios() {}

  /** Copy bytes through the device and back, at addresses that 28 bits hold. */
  static String narrowDeviceReachesWhatIsMapped(String address) {
    byte[] bytes = new byte[EduDevice.LENGTH];
    new Random(28).nextBytes(bytes);
    try (LinuxMachine machine = LinuxMachine.open(CONFIG);
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
        MemoryBlock from = machine.memory().allocate(bytes.length, MemoryPlacement.SCATTERED);
        MemoryBlock to = machine.memory().allocate(bytes.length, MemoryPlacement.SCATTERED)) {
      DeviceSlot slot = machine.slot(new DeviceAddress(address));
      EduDevice edu = new EduDevice(slot, machine.timers());
      slot.busMaster(true);
      from.segment().copyFrom(MemorySegment.ofArray(bytes));
      try (DmaMapper mapper = DmaStack.of(iommu).attach(machine, slot, LIMITS);
          DmaMapping source = mapper.map(from.phys(0), bytes.length, DmaDirection.TO_DEVICE, DmaAttributes.NONE);
          DmaMapping target = mapper.map(to.phys(0), bytes.length, DmaDirection.FROM_DEVICE, DmaAttributes.NONE)) {
        long highest = Math.max(source.dmaAddress(), target.dmaAddress()) + bytes.length - 1;
        require(highest >>> EduDevice.ADDRESS_BITS == 0, "an address above 28 bits was given out: 0x" + Long.toHexString(highest));
        edu.read(source.dmaAddress(), bytes.length);
        edu.write(target.dmaAddress(), bytes.length);
      }
      require(Arrays.equals(to.segment().toArray(ValueLayout.JAVA_BYTE), bytes), "the device did not give the bytes back");
      return EduDevice.LENGTH + " bytes there and back below 2^28, memory at 0x" + Long.toHexString(from.phys(0));
    }
  }

  /** Have registered memory refused where the device's addresses do not reach it. */
  static String memoryBeyondTheMaskIsRefused(String address) {
    try (LinuxMachine machine = LinuxMachine.open(CONFIG.withMemory(512 << 20).withAddressing(Addressing.REGISTERED));
        DirectBackend direct = new DirectBackend();
        MemoryBlock all = machine.memory().allocate(384 << 20, MemoryPlacement.SCATTERED)) {
      DeviceSlot slot = machine.slot(new DeviceAddress(address));
      try (DmaMapper mapper = DmaStack.of(direct).attach(machine, slot, LIMITS);
          DmaMapping low = mapper.map(all.phys(0), 4096, DmaDirection.TO_DEVICE, DmaAttributes.NONE)) {
        require(low.dmaAddress() >>> EduDevice.ADDRESS_BITS == 0, "the first frame is beyond 28 bits");
        try (DmaMapping high = mapper.map(all.phys(all.length() - 4096), 4096, DmaDirection.TO_DEVICE, DmaAttributes.NONE)) {
          throw new IllegalStateException("0x" + Long.toHexString(high.dmaAddress()) + " was given to a device of 28 bits");
        } catch (DmaMappingException e) {
          require(e.reason() == Reason.OUT_OF_REACH, e.toString());
          return String.valueOf(e.getMessage());
        }
      }
    }
  }

  /** Have the device write where nothing is mapped any more: the IOMMU refuses it, and the checker says whose address it was. */
  static String strayWriteIsRefusedAndAttributed(String address) {
    try (LinuxMachine machine = LinuxMachine.open(CONFIG);
        IommuBackend iommu = new IommuBackend(IommuConfig.defaults());
        DebugBackend checker = new DebugBackendPlugin().create(Settings.of(new DebugBackendPlugin(), Map.of("on-error", "count")));
        MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.SCATTERED)) {
      DeviceSlot slot = machine.slot(new DeviceAddress(address));
      EduDevice edu = new EduDevice(slot, machine.timers());
      slot.busMaster(true);
      try (DmaMapper mapper = DmaStack.of(iommu, checker).attach(machine, slot, LIMITS)) {
        long stale;
        try (DmaMapping mapping = mapper.map(block.phys(0), 4096, DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE)) {
          stale = mapping.dmaAddress();
          block.segment().fill((byte) 0x11);
          edu.read(stale, EduDevice.LENGTH);
        }
        block.segment().fill((byte) 0x22);
        edu.write(stale, EduDevice.LENGTH);
        require(allBytes(block, (byte) 0x22), "the device wrote into memory that was unmapped");
        await(machine.timers(), () -> checker.statistics().reports() != 0, "the kernel's log told of no fault");
        var report = checker.reports(1).getFirst();
        require(report.rule() == Rule.DEVICE_USED_UNMAPPED, "attributed wrongly: " + report);
        return report.toString();
      }
    }
  }

  /** Hear of the device's interrupt, once it is raised and not before. */
  static String interruptIsDelivered(String address) throws InterruptedException {
    try (LinuxMachine machine = LinuxMachine.open(CONFIG)) {
      DeviceSlot slot = machine.slot(new DeviceAddress(address));
      EduDevice edu = new EduDevice(slot, machine.timers());
      slot.busMaster(true);
      for (int round = 0; round < 2; round++) {
        CountDownLatch raised = new CountDownLatch(1);
        slot.interrupts()
            .enable(
                0,
                () -> {
                  edu.acknowledge();
                  raised.countDown();
                });
        require(raised.getCount() == 1, "an interrupt that nobody raised");
        edu.interrupt();
        require(raised.await(30, TimeUnit.SECONDS), "no interrupt within 30 s, round " + round);
        slot.interrupts().disable(0);
      }
      return slot.interrupts().count() + " vector, twice";
    }
  }

  private static boolean allBytes(MemoryBlock block, byte value) {
    for (byte each : block.segment().toArray(ValueLayout.JAVA_BYTE)) {
      if (each != value) {
        return false;
      }
    }
    return true;
  }

  private static void await(Timers timers, BooleanSupplier done, String otherwise) {
    long end = timers.nanoTime() + 30_000_000_000L;
    int fruitless = 0;
    while (!done.getAsBoolean()) {
      require(timers.nanoTime() - end < 0, otherwise);
      timers.pause(++fruitless);
    }
  }

  static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalStateException(otherwise);
    }
  }
}
