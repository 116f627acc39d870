package io.twostep.machine.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.dma.spi.Timers;
import io.twostep.machine.model.iommu.TestTables;
import io.twostep.tck.Allocation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** What drivers and models do all the time takes no heap. */
class HotPathTest {
  @Test
  void accessesDoorbellsTurnsPublicationsAndInvalidationsAllocateNothing() {
    for (String mode : new String[] {"off", "normal"}) {
      try (ModelMachine machine = Machines.of("iotlb", mode);
          Arena arena = Arena.ofConfined()) {
        TestDevice device = new TestDevice();
        DeviceSlot slot = machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT);
        slot.busMaster(true);
        TableWalkingIommu iommu = (TableWalkingIommu) machine.addressSpaceFor(slot).iommu();
        TestTables tables = new TestTables(machine.memory(), iommu, TableFormat.VTD_SECOND_STAGE, 4);
        MemoryBlock data = machine.memory().allocate(64 * 4096, MemoryPlacement.SCATTERED);
        for (int i = 0; i < 64; i++) {
          tables.map(i * 4096L, data.phys(i * 4096L), TestTables.RW);
        }
        MemorySegment buffer = arena.allocate(8192);
        Mmio doorbells = slot.mmio(0);
        Timers timers = machine.timers();
        int[] handled = new int[1];
        slot.interrupts().enable(0, () -> handled[0]++);
        device.work =
            budget -> {
              device.bus.read(4096 - 100, buffer, 0, 4096);
              device.bus.write(8192, buffer, 64, 64);
              device.signals.interrupt(0);
              return false;
            };
        long bytes =
            Allocation.leastBytesOf(
                () -> {
                  iommu.publish(0, 64 * 4096 - 1);
                  doorbells.write32(8, 1);
                  timers.pause();
                  doorbells.read32(8);
                  timers.pause();
                  iommu.invalidate(0, 64 * 4096 - 1, true);
                });
        assertThat(bytes).as(mode).isZero();
        assertThat(handled[0]).isPositive();
        assertThat(machine.stats().faults()).isZero();
      }
    }
  }

  @Test
  void pausesThatStepAnUntranslatedDeviceAllocateNothing() {
    try (ModelMachine machine = Machines.of();
        Arena arena = Arena.ofConfined()) {
      TestDevice device = new TestDevice();
      DeviceSlot slot = machine.plug(Machines.FIRST, device, SlotOptions.DEFAULT.withTranslation(Translation.IDENTITY));
      slot.busMaster(true);
      MemoryBlock data = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS);
      long phys = data.phys(0);
      MemorySegment buffer = arena.allocate(4096);
      Timers timers = machine.timers();
      long[] done = new long[1];
      device.work =
          budget -> {
            done[0] += device.bus.write(phys, buffer, 0, 4096) == BusMaster.OK ? 1 : 0;
            return false;
          };
      long bytes =
          Allocation.leastBytesOf(
              () -> {
                device.signals.wake();
                timers.pause();
                timers.pause();
              });
      assertThat(bytes).isZero();
      assertThat(done[0]).isPositive();
    }
  }

  @Test
  void findingRegionsAndRangesAllocatesNothing() {
    try (ModelMachine machine = Machines.of()) {
      PhysicalMemory memory = machine.memory();
      MemoryBlock data = memory.allocate(64 * 4096, MemoryPlacement.SCATTERED);
      MemorySegment part = data.segment().asSlice(100, 60 * 4096);
      long[] phys = new long[8];
      long[] length = new long[8];
      long[] found = new long[1];
      long bytes =
          Allocation.leastBytesOf(
              () -> {
                long at = 0;
                for (int n = memory.ranges(part, 0, phys, length); n > 0; n = memory.ranges(part, at, phys, length)) {
                  for (int i = 0; i < n; i++) {
                    at += length[i];
                    found[0] += memory.regionOf(phys[i], length[i]).pins() + 1;
                  }
                }
              });
      assertThat(bytes).isZero();
      assertThat(found[0]).isPositive();
      assertThat(data.segment().get(ValueLayout.JAVA_BYTE, 0)).isZero();
    }
  }
}
