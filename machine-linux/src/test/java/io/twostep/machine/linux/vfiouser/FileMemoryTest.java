package io.twostep.machine.linux.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.fake.NativeCall;
import io.twostep.machine.linux.fake.WatchedKernel;
import io.twostep.machine.linux.fake.WatchedKernel.Wrong;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** Blocks that are files of their own. */
class FileMemoryTest {
  private final WatchedKernel kernel = new WatchedKernel(Wrong.CALL_FAILS);
  private final FileMemory memory = new FileMemory(kernel, "device", 1 << 20, () -> {});

  @Test
  void blockThatANativeCallHoldsIsNotClosedAndCanBeAgain() {
    MemoryBlock block = memory.allocate(4096, MemoryPlacement.CONTIGUOUS);
    NativeCall.holding(block.segment(), () -> assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class));
    assertThat(memory.used()).isEqualTo(4096);
    block.close();
    assertThat(memory.used()).isZero();
    assertThat(kernel.leaks()).isEmpty();
    memory.close();
  }

  @Test
  void anOffsetOutsideABlockIsNamedWithTheBlockAndItsLength() {
    try (MemoryBlock block = memory.allocate(5000, MemoryPlacement.CONTIGUOUS)) {
      assertThat(block.phys(4999)).isEqualTo(block.phys(0) + 4999);
      for (long offset : new long[] {5000, -1}) {
        assertThatThrownBy(() -> block.phys(offset))
            .isInstanceOf(IndexOutOfBoundsException.class)
            .hasMessage("%s: offset 0x%x lies outside its 0x1388 bytes", block, offset);
      }
    }
    memory.close();
  }

  @Test
  void machineThatClosesDoesNotUnmapABlockUnderANativeCall() {
    MemoryBlock block = memory.allocate(4096, MemoryPlacement.CONTIGUOUS);
    // An unmap that is tried all the same must not end the test's own process.
    kernel.nthCall().pickFirst("munmap " + kernel.latestMapping(), Errno.ENOMEM);
    NativeCall.holding(
        block.segment(),
        () -> {
          assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
          assertThatThrownBy(memory::close).isInstanceOf(IllegalStateException.class);
        });
    assertThat(kernel.nthCall().picked()).as("what was tried").isEmpty();
    kernel.nthCall().pickNone();
    kernel.forget();
  }

  @Test
  void segmentThatHasDiedIsNobodysMemoryWhateverLiesThereNow() {
    try (MemoryBlock block = memory.allocate(4096, MemoryPlacement.CONTIGUOUS)) {
      long[] phys = new long[1];
      long[] length = new long[1];
      assertThat(memory.ranges(block.segment(), 0, phys, length)).isEqualTo(1);
      assertThat(memory.ranges(dead(block.segment()), 0, phys, length)).isEqualTo(-1);
    }
    memory.close();
  }

  @Test
  void copiesTakeNoHeap() {
    MemorySegment other = MemorySegment.ofArray(new byte[8192]);
    try (MemoryBlock first = memory.allocate(8192, MemoryPlacement.CONTIGUOUS);
        MemoryBlock second = memory.allocate(8192, MemoryPlacement.CONTIGUOUS)) {
      long[] bytes =
          HeapBytes.leastOf(
              () -> {
                memory.read(first.phys(100), other, 3, 700);
                memory.write(second.phys(4000), other, 5, 900);
                memory.read(second.phys(0), second.segment(), 0, 0);
              });
      assertThat(bytes).containsExactly(0);
    }
    memory.close();
  }

  @SuppressWarnings("restricted")
  private static MemorySegment dead(MemorySegment there) {
    try (Arena arena = Arena.ofConfined()) {
      return MemorySegment.ofAddress(there.address()).reinterpret(there.byteSize(), arena, null);
    }
  }
}
