package io.twostep.machine.model.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.machine.model.Machines;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CacheViewTest {
  private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

  private final ModelMemory memory =
      new ModelMemory(
          PhysicalLayout.of(16L << 20), Path.of(System.getProperty("java.io.tmpdir")), new Rng(Machines.seed()), new MmioMap(), () -> false);
  private final MemoryBlock block = memory.allocate(8192, MemoryPlacement.SCATTERED);
  private final CacheView cache = memory.cache();

  @BeforeEach
  void activate() {
    cache.activate();
  }

  @AfterEach
  void close() {
    memory.close();
  }

  @Test
  void theCpuSeesADeviceWriteOnlyAfterInvalidation() {
    deviceWrite(100, 5);
    assertThat(cpu(100)).isZero();
    memory.invalidateCache(block.phys(100), 1);
    assertThat(cpu(100)).isEqualTo((byte) 5);
  }

  @Test
  void theDeviceSeesACpuWriteOnlyAfterCleaning() {
    cpu(100, 5);
    assertThat(device(100)).isZero();
    memory.cleanCache(block.phys(100), 1);
    assertThat(device(100)).isEqualTo((byte) 5);
  }

  @Test
  void cleaningWorksBeforeTheDeviceEverTouchedTheFrame() {
    cpu(4096, 6);
    memory.cleanCache(block.phys(4096), 64);
    cpu(4096, 7);
    assertThat(device(4096)).isEqualTo((byte) 6);
  }

  @Test
  void aRangeOfNoBytesHasNoLine() {
    cpu(100, 5);
    memory.cleanCache(block.phys(100), 0);
    assertThat(device(100)).as("not written back").isZero();
    memory.invalidateCache(block.phys(100), 0);
    assertThat(cpu(100)).as("not dropped").isEqualTo((byte) 5);
  }

  @Test
  void cleaningALineWithForeignDirtyBytesOverwritesWhatTheDeviceWrote() {
    deviceWrite(0, 5);
    cpu(63, 9);
    memory.cleanCache(block.phys(32), 1);
    memory.invalidateCache(block.phys(0), 64);
    assertThat(cpu(0)).as("lost to the neighbour's dirty byte in the same line").isZero();
    deviceWrite(64, 5);
    memory.cleanCache(block.phys(64), 64);
    memory.invalidateCache(block.phys(64), 64);
    assertThat(cpu(64)).as("a clean line is not written back").isEqualTo((byte) 5);
  }

  @Test
  void invalidationLosesDirtyBytesOfTheWholeLine() {
    cpu(10, 1);
    memory.invalidateCache(block.phys(40), 1);
    assertThat(cpu(10)).isZero();
  }

  @Test
  void dirtyLinesWrittenBackUnaskedDamageOnlyLinesThatWereNotHandedOver() {
    cache.evictAtRandom(new Rng(Machines.seed()));
    boolean damaged = false;
    for (int i = 0; i < 64; i++) {
      cpu(i * 64L, 1);
      deviceWrite(i * 64L + 1, 2);
      memory.invalidateCache(block.phys(i * 64L), 64);
      damaged |= cpu(i * 64L + 1) != 2;
    }
    assertThat(damaged).as("a forgotten clean shows").isTrue();
    for (int i = 0; i < 64; i++) {
      cpu(4096 + i * 64L, 1);
      memory.cleanCache(block.phys(4096 + i * 64L), 64);
      deviceWrite(4096 + i * 64L + 1, 2);
      memory.invalidateCache(block.phys(4096 + i * 64L), 64);
      assertThat(cpu(4096 + i * 64L)).isEqualTo((byte) 1);
      assertThat(cpu(4096 + i * 64L + 1)).isEqualTo((byte) 2);
    }
  }

  @Test
  void coherentBlocksAreOneView() {
    MemoryBlock coherent = memory.allocate(4096, MemoryPlacement.COHERENT);
    cache.deviceWrite(coherent.phys(7), MemorySegment.ofArray(new byte[] {4}), 0, 1);
    assertThat(coherent.segment().get(BYTE, 7)).isEqualTo((byte) 4);
    coherent.segment().set(BYTE, 8, (byte) 3);
    MemorySegment seen = MemorySegment.ofArray(new byte[1]);
    cache.deviceRead(coherent.phys(8), seen, 0, 1);
    assertThat(seen.get(BYTE, 0)).isEqualTo((byte) 3);
  }

  @Test
  void nothingOfAClosedBlockIsSeenInTheNext() {
    deviceWrite(100, 5);
    long frame = block.phys(0);
    block.close();
    MemoryBlock all = memory.allocate(16L << 20, MemoryPlacement.SCATTERED);
    MemorySegment seen = MemorySegment.ofArray(new byte[1]);
    cache.deviceRead(frame + 100, seen, 0, 1);
    assertThat(seen.get(BYTE, 0)).isZero();
    assertThat(all.length()).isEqualTo(16L << 20);
  }

  private void cpu(long offset, int value) {
    block.segment().set(BYTE, offset, (byte) value);
  }

  private byte cpu(long offset) {
    return block.segment().get(BYTE, offset);
  }

  private void deviceWrite(long offset, int value) {
    cache.deviceWrite(block.phys(offset), MemorySegment.ofArray(new byte[] {(byte) value}), 0, 1);
  }

  private byte device(long offset) {
    MemorySegment seen = MemorySegment.ofArray(new byte[1]);
    cache.deviceRead(block.phys(offset), seen, 0, 1);
    return seen.get(BYTE, 0);
  }
}
