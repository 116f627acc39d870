package io.twostep.machine.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.machine.model.iommu.TestTables;
import io.twostep.machine.model.memory.Rng;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class ConcurrencyTest {
  private static final int THREADS = 4;
  private static final int ROUNDS = 3_000;

  @Test
  void driversOfDifferentDevicesDoNotDisturbEachOther() throws Exception {
    try (ModelMachine machine = Machines.of("memory", "64M", "iotlb", "adversarial");
        ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
      machine.memory().beforeReuse(() -> machine.timers().nanoTime());
      List<Future<Integer>> drivers = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        int id = i;
        drivers.add(threads.submit((Callable<Integer>) () -> drive(machine, id)));
      }
      for (Future<Integer> driver : drivers) {
        assertThat(driver.get()).isEqualTo(ROUNDS);
      }
      assertThat(machine.stats().strayAccesses()).isZero();
      assertThat(machine.stats().faults()).isZero();
      assertThat(machine.stats().framesInUse()).isZero();
      assertThat(machine.stats().framesFree() + machine.stats().framesParked()).isEqualTo(machine.stats().frames());
    }
  }

  /** Map a fresh block, let the device write to it on a doorbell, wait for the interrupt, look, unmap: again and again. */
  private static int drive(ModelMachine machine, int id) {
    Rng rng = new Rng(Machines.seed() + id);
    TestDevice device = new TestDevice();
    DeviceSlot slot = machine.plug(new DeviceAddress("0000:0" + (id + 1) + ":00.0"), device, SlotOptions.DEFAULT);
    slot.busMaster(true);
    TableWalkingIommu iommu = (TableWalkingIommu) machine.addressSpaceFor(slot).iommu();
    TestTables tables = new TestTables(machine.memory(), iommu, TableFormat.VTD_SECOND_STAGE, 3);
    MemorySegment word = MemorySegment.ofArray(new long[1]);
    boolean[] done = new boolean[1];
    int[] status = new int[1];
    long iova = 0x10_0000;
    device.work =
        budget -> {
          word.set(ValueLayout.JAVA_LONG, 0, device.registers[0]);
          status[0] = device.bus.write(iova + 8, word, 0, 8);
          device.signals.interrupt(0);
          return false;
        };
    slot.interrupts()
        .enable(
            0,
            () -> {
              synchronized (done) {
                done[0] = true;
              }
            });
    Mmio doorbell = slot.mmio(0);
    int good = 0;
    for (int i = 0; i < ROUNDS; i++) {
      MemoryBlock block = machine.memory().allocate(4096L << rng.below(4), MemoryPlacement.SCATTERED);
      tables.map(iova, block.phys(0), TestTables.RW);
      iommu.publish(iova, iova + 4095);
      doorbell.write64(0, i * 31L + id);
      while (!taken(done)) {
        machine.timers().pause();
      }
      if (status[0] == BusMaster.OK && block.segment().get(ValueLayout.JAVA_LONG, 8) == i * 31L + id) {
        good++;
      }
      tables.unmap(iova);
      iommu.invalidate(iova, iova + 4095, false);
      block.close();
    }
    iommu.clearRoot();
    tables.close();
    return good;
  }

  private static boolean taken(boolean[] done) {
    synchronized (done) {
      boolean was = done[0];
      done[0] = false;
      return was;
    }
  }
}
