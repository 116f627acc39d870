package io.twostep.device.vfio.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.fixture.Rig;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.PhysRanges;
import io.twostep.machine.model.FailNth.Kind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Buffers as their device sees them: through the table, byte by byte. */
class MigrationBufferTest {
  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  /** Read what the table says, as the device does. */
  private static byte[] throughTable(Rig rig, TranslationTable table, int length) {
    ByteBuffer entries = ByteBuffer.wrap(rig.probe.read(table.dmaAddress(), table.entries() * TranslationTable.ENTRY)).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer bytes = ByteBuffer.allocate(length);
    while (bytes.hasRemaining()) {
      long address = entries.getLong();
      bytes.put(rig.probe.read(address, (int) Math.min(entries.getLong(), bytes.remaining())));
    }
    return bytes.array();
  }

  private static void loadAndSave(Rig rig, int entriesAtMost) {
    try (MigrationBuffer buffer = new MigrationBuffer(rig.mapper, rig.machine.memory())) {
      byte[] state = random(300_000);
      buffer.grow(state.length);
      buffer.write(0, MemorySegment.ofArray(state), 0, state.length);
      TranslationTable table = buffer.handOver(DmaDirection.TO_DEVICE, state.length);
      assertThat(table.entries()).isLessThanOrEqualTo(entriesAtMost);
      assertThat(throughTable(rig, table, state.length)).isEqualTo(state);

      TranslationTable saving = buffer.handOver(DmaDirection.FROM_DEVICE, state.length);
      byte[] saved = random(4000);
      ByteBuffer first = ByteBuffer.wrap(rig.probe.read(saving.dmaAddress(), TranslationTable.ENTRY)).order(ByteOrder.LITTLE_ENDIAN);
      rig.probe.write(first.getLong(0), saved);
      buffer.takeOver(state.length);
      byte[] got = new byte[saved.length];
      buffer.read(0, MemorySegment.ofArray(got), 0, got.length);
      assertThat(got).isEqualTo(saved);
    }
  }

  @Test
  void behindAnIommuScatteredPagesAreOneRangeAndOneEntry() {
    try (Rig rig = Rig.translated()) {
      loadAndSave(rig, 1);
    }
  }

  @Test
  void withoutTranslationEveryRunIsAnEntry() {
    try (Rig rig = Rig.direct()) {
      loadAndSave(rig, 300_000 / 4096 + 1);
    }
  }

  @Test
  void aBufferThatGrowsKeepsItsBytesAndIsOneRangeAgain() {
    try (Rig rig = Rig.translated();
        MigrationBuffer buffer = new MigrationBuffer(rig.mapper, rig.machine.memory())) {
      byte[] state = random(50_000);
      buffer.grow(20_000);
      buffer.write(0, MemorySegment.ofArray(state), 0, 20_000);
      buffer.handOver(DmaDirection.TO_DEVICE, 20_000);
      buffer.grow(50_000);
      assertThat(buffer.direction()).isNull();
      buffer.write(20_000, MemorySegment.ofArray(state), 20_000, 30_000);
      TranslationTable table = buffer.handOver(DmaDirection.TO_DEVICE, 50_000);
      assertThat(table.entries()).isOne();
      assertThat(throughTable(rig, table, 50_000)).isEqualTo(state);
      assertThat(buffer.windows()).isEqualTo(2);
    }
  }

  @Test
  void aBufferUsedAgainInItsDirectionKeepsItsRange() {
    try (Rig rig = Rig.translated();
        MigrationBuffer buffer = new MigrationBuffer(rig.mapper, rig.machine.memory())) {
      buffer.grow(8192);
      long address = buffer.handOver(DmaDirection.TO_DEVICE, 8192).dmaAddress();
      byte[] state = random(8192);
      buffer.write(0, MemorySegment.ofArray(state), 0, 8192);
      TranslationTable table = buffer.handOver(DmaDirection.TO_DEVICE, 8192);
      assertThat(table.dmaAddress()).isEqualTo(address);
      assertThat(buffer.windows()).isOne();
      assertThat(throughTable(rig, table, 8192)).isEqualTo(state);
    }
  }

  @Test
  void pagesOfOthersAreMappedAndStayTheirs() {
    try (Rig rig = Rig.translated();
        MemoryBlock block = rig.machine.memory().allocate(16384, MemoryPlacement.SCATTERED)) {
      byte[] bytes = random(16384);
      MemorySegment.copy(MemorySegment.ofArray(bytes), 0, block.segment(), 0, bytes.length);
      try (MigrationBuffer buffer = new MigrationBuffer(rig.mapper, rig.machine.memory())) {
        buffer.append(block.ranges());
        assertThat(throughTable(rig, buffer.handOver(DmaDirection.TO_DEVICE, 16384), 16384)).isEqualTo(bytes);
      }
      assertThat(block.segment().get(ValueLayout.JAVA_BYTE, 5)).isEqualTo(bytes[5]);
    }
  }

  @Test
  void addressesThatAreNotMemoryAreRefused() {
    try (Rig rig = Rig.translated();
        MigrationBuffer buffer = new MigrationBuffer(rig.mapper, rig.machine.memory())) {
      assertThatExceptionOfType(DmaMappingException.class)
          .isThrownBy(() -> buffer.append(PhysRanges.of(0x7fff_f000_0000L, 4096)))
          .withMessageContaining("no memory at 0x7ffff0000000")
          .extracting(DmaMappingException::reason)
          .isEqualTo(Reason.NOT_BACKED);
      assertThat(buffer.length()).isZero();
      assertThatIllegalArgumentException().isThrownBy(() -> buffer.handOver(DmaDirection.TO_DEVICE, 1)).withMessageContaining("cannot hand over 1 bytes of a buffer of 0");
    }
  }

  @Test
  void memoryOfAnotherDeviceIsRefused() {
    Map<String, String> tree = Map.of("memory", "64M", "tree", "host-bridge 8086:2020 bus=00-1f;root-port 00:01.0 bus=01-0f");
    try (Host host = new Host(tree, 4096, List.of("0000:01:00.0"), ModelConfig.DEFAULT, true)) {
      DmaMapper mapper = host.devices.getFirst().mapper();
      long phys = mapper.slot().bar(0).phys();
      try (PeerMemory peer = mapper.publish(0, 0, 4096);
          MigrationBuffer buffer = new MigrationBuffer(mapper, host.machine.memory())) {
        assertThat(peer).isNotNull();
        assertThatExceptionOfType(DmaMappingException.class)
            .isThrownBy(() -> buffer.append(PhysRanges.of(phys, 4096)))
            .withMessageContaining("a migration buffer takes host memory only; copy a device's state through host memory")
            .extracting(DmaMappingException::reason)
            .isEqualTo(Reason.UNSUPPORTED);
        assertThat(buffer.length()).isZero();
      }
    }
  }

  @Test
  void aFailureAtAnyCallLeavesNothingMapped() {
    for (Kind kind : new Kind[] {Kind.ALLOCATE, Kind.PUBLISH, Kind.INVALIDATE}) {
      for (int nth = 1; nth <= 12; nth++) {
        try (Rig rig = Rig.translated();
            MigrationBuffer buffer = new MigrationBuffer(rig.mapper, rig.machine.memory())) {
          rig.machine.failNth().arm(kind, nth);
          try {
            buffer.grow(100_000);
            buffer.handOver(DmaDirection.FROM_DEVICE, 100_000);
            assertThat(buffer.isWindowed()).isTrue();
          } catch (DmaMappingException e) {
            assertThat(buffer.direction()).isNull();
          }
          rig.machine.failNth().disarm();
          buffer.unmap();
          rig.mapper.releaseQuarantined();
          buffer.grow(100_000);
          byte[] state = random(100_000);
          buffer.write(0, MemorySegment.ofArray(state), 0, state.length);
          assertThat(throughTable(rig, buffer.handOver(DmaDirection.TO_DEVICE, 100_000), 100_000)).isEqualTo(state);
        }
      }
    }
  }

  @Test
  void poolsGiveTheSmallestOfTheSameDirectionThatIsLargeEnoughElseLetOneGrow() {
    try (Rig rig = Rig.translated();
        BufferPool pool = new BufferPool(rig.mapper, rig.machine.memory())) {
      MigrationBuffer large = pool.take(DmaDirection.FROM_DEVICE, 1 << 20);
      MigrationBuffer small = pool.take(DmaDirection.FROM_DEVICE, 1 << 16);
      large.handOver(DmaDirection.FROM_DEVICE, 4096);
      small.handOver(DmaDirection.FROM_DEVICE, 4096);
      pool.give(large);
      pool.give(small);
      assertThat(pool.take(DmaDirection.FROM_DEVICE, 1 << 15)).isSameAs(small);
      assertThat(pool.take(DmaDirection.FROM_DEVICE, 1 << 15)).isSameAs(large);
      pool.give(small);
      pool.give(large);
      assertThat(pool.take(DmaDirection.FROM_DEVICE, 2 << 20)).isSameAs(large);
      assertThat(large.length()).isEqualTo(2 << 20);
      assertThat(pool.buffers()).isEqualTo(2);
      assertThat(pool.pages()).isEqualTo((2 << 20 | 1 << 16) / 4096);
      assertThat(pool.listBytes()).isLessThanOrEqualTo(8 * pool.pages());
      assertThat(pool.windows()).isEqualTo(2);
      assertThatIllegalArgumentException().isThrownBy(() -> pool.give(small));
    }
  }

  @Test
  void usingThePoolAgainAndAgainTakesNoMoreMemory() {
    try (Rig rig = Rig.translated();
        BufferPool pool = new BufferPool(rig.mapper, rig.machine.memory())) {
      long[] frames = new long[50];
      for (int i = 0; i < frames.length; i++) {
        MigrationBuffer buffer = pool.take(DmaDirection.FROM_DEVICE, 200_000);
        buffer.handOver(DmaDirection.FROM_DEVICE, 200_000);
        pool.give(buffer);
        frames[i] = rig.machine.stats().framesInUse();
      }
      assertThat(Arrays.stream(frames).distinct()).hasSize(1);
      assertThat(pool.windows()).isOne();
    }
  }

  @Test
  void poolWhoseFirstBufferCannotBeUnmappedClosesTheOthersAndThatOneTheNextTime() {
    try (Rig rig = Rig.translated()) {
      BufferPool pool = new BufferPool(rig.mapper, rig.machine.memory());
      List<MigrationBuffer> buffers = List.of(pool.take(DmaDirection.TO_DEVICE, 4096), pool.take(DmaDirection.TO_DEVICE, 4096));
      for (MigrationBuffer buffer : buffers) {
        buffer.handOver(DmaDirection.TO_DEVICE, 4096);
      }
      rig.machine.failNth().arm(Kind.INVALIDATE, 1);
      assertThatExceptionOfType(DmaMappingException.class).isThrownBy(pool::close).satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED));
      assertThat(rig.mapper.liveMappings()).isZero();
      assertThat(pool.buffers()).as("only the one whose pages the device may still reach").isEqualTo(1);
      rig.slot.reset();
      rig.mapper.releaseQuarantined();
      pool.close();
      assertThat(pool.buffers()).isZero();
    }
  }

  @Test
  void lengthThatNoMachineHasIsRefusedAndNotTakenForNone() {
    try (Rig rig = Rig.translated();
        MigrationBuffer buffer = new MigrationBuffer(rig.mapper, rig.machine.memory())) {
      assertThatExceptionOfType(DmaMappingException.class)
          .isThrownBy(() -> buffer.grow(Long.MAX_VALUE))
          .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.NOT_BACKED));
      assertThat(buffer.length()).isZero();
    }
  }
}
