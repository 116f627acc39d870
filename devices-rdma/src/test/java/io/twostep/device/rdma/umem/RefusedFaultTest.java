package io.twostep.device.rdma.umem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.FaultMode;
import io.twostep.device.rdma.mirror.PageFaultException;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Faults that fail when a part of what they ask for is done: the device keeps no entry that nobody would take away. */
class RefusedFaultTest {
  private static final int ACCESS = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ | AccessFlags.HUGE_PAGES;

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aPageThatBecameWritableInAFaultThatFailedGoesBeforeItIsMoved(boolean translated) {
    try (Rig rig = new Rig(translated, SlotOptions.DEFAULT);
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      long huge = process.hugePageSize();
      long va = process.mapHuge(huge, true);
      process.mapAt(va + huge, huge, true);
      write(process, va);
      ProcessMemory child = process.fork();
      TestPageTable table = new TestPageTable(rig.probe);
      try (OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, 2 * huge, ACCESS, table)) {
        child.close();
        write(process, va);
        write(process, va + huge);
        PageFaultException refused = catchThrowableOfType(PageFaultException.class, () -> umem.fault(va, 2 * huge, FaultMode.WRITE));
        assertThat(refused.kind()).isEqualTo(PageFaultException.Kind.PAGE_SIZE);
        process.discard(va, huge);
        assertThat(table.read(0, 1)).as("read of a frame that is free").isNull();
      }
    }
  }

  private static void write(ProcessMemory process, long va) {
    process.write(va, MemorySegment.ofArray(new byte[] {1}), 0, 1);
  }
}
