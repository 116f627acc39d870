package io.twostep.machine.linux.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.fake.FakeKernel;
import io.twostep.machine.linux.fake.NativeCall;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import io.twostep.machine.linux.memory.RamOptions.PageSize;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Frames of the process, handed out and taken back. */
class ProcessMemoryTest {
  private static final long LENGTH = 1 << 20;

  private final FakeKernel kernel = new FakeKernel();
  @TempDir Path folder;

  @Test
  void contiguousBlocksAreAlignedToThePowerOfTwoThatHoldsThem() {
    try (ProcessMemory memory = memory();
        MemoryBlock odd = memory.allocate(1, MemoryPlacement.SCATTERED);
        MemoryBlock block = memory.allocate(5 * 4096, MemoryPlacement.CONTIGUOUS)) {
      assertThat(block.phys(0) % (8 * 4096)).isZero();
      assertThat(odd.length()).isEqualTo(1);
      assertThat(memory.regionOf(block.phys(0), 5 * 4096).kind()).isEqualTo(MemoryKind.RAM);
      assertThat(memory.regionOf(block.phys(0), 5 * 4096 + 1)).isSameAs(MemoryRegion.ABSENT);
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void anOffsetOutsideABlockIsNamedWithTheBlockAndItsLength() {
    try (ProcessMemory memory = memory(); MemoryBlock block = memory.allocate(5000, MemoryPlacement.SCATTERED)) {
      assertThat(block.phys(4999)).isEqualTo(block.phys(0) + 4999);
      for (long offset : new long[] {5000, -1}) {
        assertThatThrownBy(() -> block.phys(offset))
            .isInstanceOf(IndexOutOfBoundsException.class)
            .hasMessage("%s: offset 0x%x lies outside its 0x1388 bytes", block, offset);
      }
    }
  }

  @Test
  void aBlockThatWouldFitButForItsAlignmentIsRefusedWithIt() {
    try (ProcessMemory memory = memory()) {
      List<MemoryBlock> taken = new ArrayList<>();
      for (long at = 0; at < LENGTH; at += 4096) {
        taken.add(memory.allocate(4096, MemoryPlacement.SCATTERED));
      }
      // Wherever the memory lies, what stays in use is every place at which a block of 64 KiB could begin.
      taken.removeIf(
          block -> {
            boolean goes = block.phys(0) % 0x10000 != 0;
            if (goes) {
              block.close();
            }
            return goes;
          });
      assertThatThrownBy(() -> memory.allocate(9 * 4096, MemoryPlacement.CONTIGUOUS)).hasMessageContaining("at a multiple of 0x10000");
      memory.allocate(9 * 4096, MemoryPlacement.SCATTERED).close();
      taken.forEach(MemoryBlock::close);
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void blockThatANativeCallHoldsIsNotClosedAndCanBeAgain() {
    try (ProcessMemory memory = memory()) {
      MemoryBlock block = memory.allocate(4096, MemoryPlacement.SCATTERED);
      NativeCall.holding(block.segment(), () -> assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class));
      assertThat(memory.openBlocks()).isEqualTo(1);
      block.close();
      assertThat(memory.openBlocks()).isZero();
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void memoryStaysMappedWhileANativeCallHoldsABlockThatDidNotClose() {
    ProcessMemory memory = memory();
    MemoryBlock block = memory.allocate(4096, MemoryPlacement.SCATTERED);
    // An unmap that is tried all the same must not end the test's own process.
    kernel.nthCall().pickFirst("munmap 0x" + Long.toHexString(memory.ram().first()), Errno.ENOMEM);
    NativeCall.holding(
        block.segment(),
        () -> {
          assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class);
          assertThatThrownBy(memory::close).isInstanceOf(IllegalStateException.class);
        });
    assertThat(kernel.nthCall().picked()).as("what was tried").isEmpty();
    kernel.nthCall().pickNone();
    block.close();
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void blockThatNobodyLookedAtBeforeItsMachineClosedIsNoWayToUnmappedMemory() {
    ProcessMemory memory = memory();
    MemoryBlock block = memory.allocate(4096, MemoryPlacement.SCATTERED);
    memory.close();
    assertThatThrownBy(block::segment).isInstanceOf(IllegalStateException.class).hasMessageContaining("its machine is");
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void memoryIsSharedOrLiesInAFile() {
    assertThatThrownBy(() -> new RamOptions(LENGTH, PageSize.SMALL, true, "/tmp/ram")).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("not both");
    assertThatThrownBy(() -> new RamOptions(Long.MAX_VALUE, PageSize.SMALL, false, "")).hasMessageContaining("from 1 to " + (Long.MAX_VALUE - 4096));
  }

  @Test
  void reusedMemoryIsZeroAgainAndTheOldSegmentIsDead() {
    try (ProcessMemory memory = memory()) {
      MemoryBlock block = memory.allocate(LENGTH, MemoryPlacement.SCATTERED);
      MemorySegment old = block.segment();
      old.fill((byte) 0x5a);
      block.close();
      assertThatThrownBy(() -> old.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
      try (MemoryBlock again = memory.allocate(LENGTH, MemoryPlacement.SCATTERED)) {
        assertThat(again.segment().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
      }
    }
  }

  @Test
  void blockThatIsMappedRefusesToCloseAndKeepsTheMemory() {
    ProcessMemory memory = memory();
    MemoryBlock block = memory.allocate(4096, MemoryPlacement.SCATTERED);
    MemoryRegion region = memory.regionOf(block.phys(0), 4096);
    assertThat(region.tryPin()).isTrue();
    assertThatThrownBy(block::close).isInstanceOf(IllegalStateException.class).hasMessageContaining("still held");
    memory.close();
    block.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
    assertThat(kernel.leaks()).isNotEmpty();
    region.unpin();
    block.close();
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void deferredFlushesRunBeforeFramesAreReused() throws Exception {
    try (ProcessMemory memory = memory()) {
      int[] flushed = {0};
      MemoryBlock block = memory.allocate(4096, MemoryPlacement.SCATTERED);
      AutoCloseable registration = memory.beforeReuse(() -> flushed[0]++);
      block.close();
      assertThat(flushed[0]).isEqualTo(1);
      registration.close();
      memory.allocate(4096, MemoryPlacement.SCATTERED).close();
      assertThat(flushed[0]).isEqualTo(1);
    }
  }

  @Test
  void segmentIsMachineMemoryOnlyIfItLiesInOneOpenBlock() {
    try (ProcessMemory memory = memory();
        MemoryBlock block = memory.allocate(8192, MemoryPlacement.SCATTERED);
        Arena arena = Arena.ofConfined()) {
      long[] phys = new long[2];
      long[] length = new long[2];
      assertThat(memory.ranges(block.segment().asSlice(100, 5000), 10, phys, length)).isEqualTo(1);
      assertThat(phys[0]).isEqualTo(block.phys(110));
      assertThat(length[0]).isEqualTo(4990);
      assertThat(memory.ranges(block.segment(), 8192, phys, length)).isZero();
      assertThat(memory.ranges(arena.allocate(16), 0, phys, length)).isEqualTo(-1);
      assertThat(memory.ranges(MemorySegment.ofArray(new byte[4]), 0, phys, length)).isEqualTo(-1);
      assertThat(memory.ranges(memory.segment(block.phys(0), 8192 + 4096), 0, phys, length)).isEqualTo(-1);
    }
  }

  @Test
  void limitsAndLengthsThatCannotBeAreRefused() {
    try (ProcessMemory memory = memory()) {
      long top = memory.highestAddress();
      assertThatThrownBy(() -> memory.allocate(0, MemoryPlacement.SCATTERED)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> memory.allocate(LENGTH + 1, MemoryPlacement.SCATTERED)).isInstanceOf(DmaMappingException.class).hasMessageContaining("256 of 256 frames");
      assertThatThrownBy(() -> memory.allocate(4096, MemoryPlacement.SCATTERED, 0xffff_ffffL)).isInstanceOf(DmaMappingException.class);
      try (MemoryBlock low = memory.allocate(4096, MemoryPlacement.SCATTERED, top - LENGTH + 4096)) {
        assertThat(low.phys(0)).isEqualTo(top + 1 - LENGTH);
        assertThatThrownBy(() -> memory.allocate(4096, MemoryPlacement.SCATTERED, top - LENGTH + 4096)).isInstanceOf(DmaMappingException.class);
      }
      assertThatThrownBy(() -> memory.segment(top, 2)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("is not memory of this machine");
    }
  }

  @Test
  void sharedMemoryIsSeenThroughItsFile() {
    Kernel real = Kernel.host();
    try (ProcessMemory memory = new ProcessMemory(Ram.map(real, new RamOptions(LENGTH, PageSize.SMALL, true, "")), new DeviceWindows());
        MemoryBlock block = memory.allocate(4096, MemoryPlacement.SCATTERED)) {
      MemorySegment other = real.mmap(LENGTH, MapOptions.READ, MapOptions.SHARED, memory.ram().file(), 0);
      block.segment().set(ValueLayout.JAVA_LONG, 0, 99);
      assertThat(other.get(ValueLayout.JAVA_LONG, block.phys(0) - memory.ram().first())).isEqualTo(99);
      assertThatThrownBy(() -> real.truncate(memory.ram().file(), 0)).as("nobody can take it away").hasMessageContaining("EPERM");
      real.munmap(other);
    }
  }

  @Test
  void memoryInAFileIsTheFileAndNeverOverwritesOne() throws Exception {
    Path file = folder.resolve("ram");
    try (ProcessMemory memory =
            new ProcessMemory(Ram.map(Kernel.host(), new RamOptions(LENGTH, PageSize.SMALL, false, file.toString())), new DeviceWindows());
        MemoryBlock block = memory.allocate(4096, MemoryPlacement.SCATTERED)) {
      block.segment().setString(0, "kept");
    }
    assertThat(Files.size(file)).isEqualTo(LENGTH);
    assertThat(Files.readString(file, StandardCharsets.ISO_8859_1)).startsWith("kept");
    assertThatThrownBy(() -> Ram.map(kernel, new RamOptions(LENGTH, PageSize.SMALL, false, file.toString())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("needs an empty file");
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void missingHugePagesSayHowToGetThem() {
    long more = 1L << 40;
    assertThatThrownBy(() -> Ram.map(Kernel.host(), new RamOptions(more, PageSize.HUGE_2M, false, "")))
        .hasMessageContaining("set aside 524288 such pages in /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages or /proc/sys/vm/nr_hugepages")
        .hasMessageContaining("boot with hugepagesz=2M hugepages=524288");
    kernel.setAside(30, 1);
    for (boolean shared : new boolean[] {false, true}) {
      assertThatThrownBy(() -> Ram.map(kernel, new RamOptions(2L << 30, PageSize.HUGE_1G, shared, "")))
          .hasMessageStartingWith("2147483648 bytes of memory in pages of 1G: mmap failed: ENOMEM")
          .hasMessageContaining("set aside 2 such pages in /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages")
          .hasMessageContaining("boot with hugepagesz=1G hugepages=2 (/proc/sys/vm/nr_hugepages counts pages of the default size alone)");
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void processorWithoutPagesOfThatSizeIsNamedAsTheReason() {
    assertThatThrownBy(() -> Ram.map(kernel, new RamOptions(LENGTH, PageSize.HUGE_1G, false, "")))
        .hasMessageContaining("pages of 1G: mmap failed: EINVAL")
        .hasMessageContaining("this processor or its kernel has no such pages: use pages of 2M");
    assertThatThrownBy(() -> Ram.map(kernel, new RamOptions(LENGTH, PageSize.HUGE_2M, true, "")))
        .hasMessageContaining("pages of 2M: memfd_create failed: ENODEV")
        .hasMessageContaining("use pages of 4K");
    assertThat(kernel.leaks()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "HUGE_2M, 21, false, 'mmap of 0x200000 bytes, protection 3, flags 0x54040022'",
    "HUGE_1G, 30, false, 'mmap of 0x40000000 bytes, protection 3, flags 0x78040022'",
    "HUGE_2M, 21, true, 'memfd with flags 0x54000006;mmap of 0x200000 bytes, protection 3, flags 0x1'",
    "HUGE_1G, 30, true, 'memfd with flags 0x78000006;mmap of 0x40000000 bytes, protection 3, flags 0x1'"
  })
  void hugePagesAreAskedForByTheKernelsFlagsAndGivenBack(PageSize page, int shift, boolean shared, String calls) {
    kernel.setAside(shift, 1);
    for (int round = 0; round < 2; round++) {
      try (ProcessMemory memory = new ProcessMemory(Ram.map(kernel, new RamOptions(4096, page, shared, "")), new DeviceWindows());
          MemoryBlock block = memory.allocate(page.bytes(), MemoryPlacement.SCATTERED)) {
        block.segment().set(ValueLayout.JAVA_LONG, page.bytes() - 8, 99);
        assertThat(kernel.diary()).endsWith(calls.split(";", -1));
        assertThatThrownBy(() -> Ram.map(kernel, new RamOptions(4096, page, shared, ""))).hasMessageContaining("ENOMEM");
      }
    }
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void fileInHugePagesHasToLieWhereSuchPagesAre() {
    assertThatThrownBy(() -> Ram.map(kernel, new RamOptions(LENGTH, PageSize.HUGE_1G, false, folder.resolve("huge").toString())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(folder.resolve("huge").toString())
        .hasMessageContaining("mount -t hugetlbfs -o pagesize=1G none FOLDER");
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void randomHistoryOfRunsAgreesWithAnOracle() {
    long seed = Long.getLong("twostep.seed", new Random().nextLong());
    Random random = new Random(seed);
    long frames = 300;
    long origin = 1000 + random.nextInt(64);
    FreeRuns runs = new FreeRuns(frames);
    TreeMap<Long, Long> taken = new TreeMap<>();
    List<String> history = new ArrayList<>();
    for (int i = 0; i < 3000; i++) {
      if (taken.isEmpty() || random.nextBoolean()) {
        long count = 1 + random.nextInt(20);
        long alignment = 1L << random.nextInt(5);
        long highest = random.nextInt(4) == 0 ? random.nextInt((int) frames) : Long.MAX_VALUE;
        long first = runs.allocate(count, alignment, origin, highest);
        history.add("allocate " + count + "/" + alignment + "<=" + highest + " = " + first);
        assertThat(first).as("seed %d: %s", seed, history).isEqualTo(lowest(taken, frames, count, alignment, origin, highest));
        if (first != FreeRuns.NONE) {
          taken.put(first, count);
        }
      } else {
        long first = taken.keySet().stream().skip(random.nextInt(taken.size())).findFirst().orElseThrow();
        history.add("free " + first);
        runs.free(first, taken.remove(first));
      }
      long used = taken.values().stream().mapToLong(Long::longValue).sum();
      assertThat(runs.free()).as("seed %d: %s", seed, history).isEqualTo(frames - used);
    }
    taken.forEach(runs::free);
    assertThat(runs.allocate(frames, 1, 0, Long.MAX_VALUE)).isZero();
    runs.free(0, frames);
    assertThatThrownBy(() -> runs.free(5, 1)).isInstanceOf(IllegalStateException.class);
  }

  private static long lowest(TreeMap<Long, Long> taken, long frames, long count, long alignment, long origin, long highest) {
    for (long first = 0; first + count <= frames && first + count - 1 <= highest; first++) {
      var below = taken.floorEntry(first + count - 1);
      if ((first + origin) % alignment == 0 && (below == null || below.getKey() + below.getValue() <= first)) {
        return first;
      }
    }
    return FreeRuns.NONE;
  }

  private ProcessMemory memory() {
    return new ProcessMemory(Ram.map(kernel, new RamOptions(LENGTH, PageSize.SMALL, false, "")), new DeviceWindows());
  }
}
