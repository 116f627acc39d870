package io.twostep.device.rdma.umem;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.mirror.ProcessMemory;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a device wrote before it failed is in its pages, whether or not it takes its entries back. */
class LostDirtyTest {
  private static final long PAGE = 4096;
  private static final int ACCESS = AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE | AccessFlags.REMOTE_READ;

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void whatADeviceWroteThatDoesNotTakeItsEntriesBackGoesToTheSwap(boolean translated) {
    try (Rig rig = new Rig(translated, SlotOptions.DEFAULT);
        ProcessMemory process = new ProcessMemory("p", rig.pool)) {
      long va = process.map(PAGE, true);
      process.write(va, MemorySegment.ofArray(new byte[] {1}), 0, 1);
      process.swapOut(va, PAGE);
      assertThat(read(process, va)).as("back in memory, and equal to what was swapped out").isEqualTo((byte) 1);
      TestPageTable table = new TestPageTable(rig.probe);
      try (OnDemandUmem umem = new OnDemandSource(rig.mapper, process, rig.machine.timers()).register(va, PAGE, ACCESS, table)) {
        assertThat(umem.linkedPages()).isEqualTo(1);
        assertThat(table.write(0, new byte[] {42})).isTrue();
        table.failCommit = new IllegalStateException("no answer");
        process.swapOut(va, PAGE);
        assertThat(rig.pool.quarantinedFrames()).isEqualTo(translated ? 0 : 1);
        assertThat(read(process, va)).isEqualTo((byte) 42);
        table.failCommit = null;
      }
    }
  }

  private static byte read(ProcessMemory process, long va) {
    MemorySegment seen = MemorySegment.ofArray(new byte[1]);
    process.read(va, seen, 0, 1);
    return seen.get(ValueLayout.JAVA_BYTE, 0);
  }
}
