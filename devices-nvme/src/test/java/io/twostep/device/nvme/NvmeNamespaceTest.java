package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NamespaceConfig.ProtectionGuard;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.ModelMachine;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What ordinary callers do with a namespace, and what they are told when it cannot be done. */
class NvmeNamespaceTest {
  @Test
  void javaArraysGoThroughTheDriversBuffer() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      byte[] out = new byte[3 << 20];
      Seeds.random().nextBytes(out);
      namespace.write(5, MemorySegment.ofArray(out));
      namespace.compare(5, MemorySegment.ofArray(out));
      byte[] in = new byte[out.length];
      namespace.read(5, MemorySegment.ofArray(in));
      assertThat(in).isEqualTo(out);
    }
  }

  @Test
  void blocksLargerThanOneCommandMayMoveAreRefusedWithTheRule() {
    NvmeModelConfig large = NvmeModelConfig.DEFAULT.with(c -> c.namespaces(NamespaceConfig.ofMemory(1000, 4096)));
    try (Rig rig = new Rig(large);
        NvmeController controller = rig.open(NvmeConfig.DEFAULT.withMaxTransfer(2048))) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.memory(8192);
      assertThatThrownBy(() -> namespace.read(0, memory))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("0000:01:00.0")
          .hasMessageContaining("namespace 1")
          .hasMessageContaining("blocks of 4096 bytes")
          .hasMessageContaining("2048")
          .hasMessageContaining("max-transfer");
      assertThatThrownBy(() -> namespace.read(0, MemorySegment.ofArray(new byte[4096]))).hasMessageContaining("max-transfer");
      namespace.writeZeroes(0, 1);
    }
  }

  @Test
  void requestThatNobodySubmittedIsNotWaitedFor() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open()) {
      NvmeQueue queue = controller.queues().getFirst();
      NvmeBio bio = new NvmeBio().flush(controller.namespace(1));
      assertThatThrownBy(() -> queue.await(bio))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("0000:01:00.0")
          .hasMessageContaining("was not submitted");
      controller.quiesce();
      assertThat(queue.trySubmit(bio)).isFalse();
      assertThatThrownBy(() -> queue.await(bio)).isInstanceOf(IllegalStateException.class);
      controller.resume();
      queue.trySubmit(bio);
      queue.await(bio);
      queue.await(bio);
      bio.check();
    }
  }

  @Test
  void machineMemoryIsMovedInPlaceFromItsMiddle() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.random(64 << 10, Seeds.random());
      namespace.write(0, memory.segment().asSlice(1024, 40 << 10));
      MemoryBlock back = rig.memory(40 << 10);
      namespace.read(0, back.segment());
      assertThat(back.segment().mismatch(memory.segment().asSlice(1024, 40 << 10))).isEqualTo(-1);
    }
  }

  @Test
  void comparisonThatFailsSaysSoAndIsNotTriedAgain() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      assertThatThrownBy(() -> namespace.compare(0, rig.random(512, Seeds.random()).segment()))
          .asInstanceOf(InstanceOfAssertFactories.type(NvmeException.class))
          .satisfies(e -> assertThat(e.kind()).isEqualTo(NvmeErrorKind.COMPARE_MISMATCH))
          .satisfies(e -> assertThat(e.isRetryable()).isFalse());
      assertThat(controller.statistics().retries()).isZero();
    }
  }

  @Test
  void trimmedAndZeroedBlocksReadAsZero() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.dsmReadsWholeBuffer(true)));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.random(64 << 10, Seeds.random());
      namespace.write(0, memory);
      namespace.trim(0, 16);
      namespace.writeZeroes(16, 16);
      namespace.verify(0, 128);
      MemoryBlock back = rig.memory(64 << 10);
      namespace.read(0, back);
      memory.segment().asSlice(0, 32 * 512).fill((byte) 0);
      assertThat(back.segment().mismatch(memory.segment())).isEqualTo(-1);
      assertThat(rig.model.violations()).isEmpty();
    }
  }

  @Test
  void limitsOfOptionalCommandsAreKept() {
    try (Rig rig =
            new Rig(NvmeModelConfig.DEFAULT.with(c -> c.writeZeroesLimit(2).verifyLimit(3).dsmRanges(2).dsmRangeBlocks(100)));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.random(256 << 10, Seeds.random());
      namespace.write(0, memory);
      namespace.writeZeroes(0, 200);
      namespace.verify(0, 512);
      namespace.trim(200, 300);
      MemoryBlock back = rig.memory(256 << 10);
      namespace.read(0, back);
      memory.segment().asSlice(0, 500 * 512).fill((byte) 0);
      assertThat(back.segment().mismatch(memory.segment())).isEqualTo(-1);
    }
  }

  @Test
  void commandsTheControllerLacksAreRefusedButTrimIsAHint() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.commands(Set.of())));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      namespace.trim(0, 8);
      assertThatThrownBy(() -> namespace.writeZeroes(0, 8)).isInstanceOf(NvmeException.class).hasMessageContaining("WRITE_ZEROES");
    }
  }

  @Test
  void wrongBlocksAndWrongMemoryAreRefusedBeforeAnythingIsSent() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.sgl(SglSupport.NONE)));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.memory(4096);
      long commands = controller.statistics().commands();
      assertThatThrownBy(() -> namespace.read(namespace.blocks() - 7, memory)).hasMessageContaining("not within");
      assertThatThrownBy(() -> namespace.read(-1, memory)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> namespace.read(0, 0, memory.ranges())).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> namespace.read(0, 9, memory.ranges())).hasMessageContaining("shorter than 9 blocks");
      assertThatThrownBy(() -> namespace.read(0, memory.segment().asSlice(0, 100))).hasMessageContaining("whole number of blocks");
      assertThatThrownBy(() -> namespace.read(0, 1, new BioVector().add(memory.phys(0), 100).add(memory.phys(200), 412)))
          .hasMessageContaining("fit neither pages of 4096 bytes");
      assertThatThrownBy(() -> namespace.read(0, 1, new BioVector().add(memory.phys(0) + 1, 512)))
          .isInstanceOf(IllegalArgumentException.class);
      assertThat(controller.statistics().commands()).isEqualTo(commands);
      assertThat(controller.queues().getFirst().outstanding()).isZero();
    }
  }

  @Test
  void piecesThatPrpsCannotDescribeGoOutAsOneSglCommand() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.random(8192, Seeds.random());
      BioVector pieces = new BioVector().add(memory, 1, 99).add(memory, 101, 411).add(memory, 4099, 2);
      long before = controller.statistics().commands();
      namespace.write(3, 1, pieces);
      assertThat(controller.statistics().commands()).isEqualTo(before + 1);
      byte[] back = new byte[512];
      namespace.read(3, MemorySegment.ofArray(back));
      assertThat(MemorySegment.ofArray(back).asSlice(0, 99).mismatch(memory.segment().asSlice(1, 99))).isEqualTo(-1);
      assertThat(MemorySegment.ofArray(back).asSlice(99, 411).mismatch(memory.segment().asSlice(101, 411))).isEqualTo(-1);
    }
  }

  @Test
  void futuresCompleteBecauseTheirWaitersPoll() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.random(64 << 10, Seeds.random());
      List<CompletableFuture<NvmeBio>> writes = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        writes.add(namespace.writeAsync(i * 8, 8, new BioVector().add(memory, i * 4096, 4096)));
      }
      writes.add(namespace.flushAsync());
      CompletableFuture<Integer> all =
          CompletableFuture.allOf(writes.toArray(CompletableFuture[]::new)).thenApply(nothing -> writes.size());
      writes.forEach(CompletableFuture::join);
      assertThat(all).isCompletedWithValue(17);
      MemoryBlock back = rig.memory(64 << 10);
      assertThat(namespace.readAsync(0, 128, back.ranges()).thenApply(NvmeBio::blocks).join()).isEqualTo(128);
      assertThat(back.segment().mismatch(memory.segment())).isEqualTo(-1);
      assertThatThrownBy(() -> namespace.start(new NvmeBio().compare(namespace, 300, 1, memory.ranges())).join())
          .isInstanceOf(CompletionException.class)
          .hasCauseInstanceOf(NvmeException.class);
    }
  }

  @Test
  void controllerInsertsAndChecksProtection() {
    try (Rig rig = new Rig(protectedBy(8, 1));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.random(8192, Seeds.random());
      namespace.write(4, memory);
      MemoryBlock data = rig.memory(8192);
      MemoryBlock tuples = rig.memory(128);
      namespace.run(new NvmeBio().read(namespace, 4, 16, data.ranges()).metadata(tuples.ranges()));
      assertThat(data.segment().mismatch(memory.segment())).isEqualTo(-1);
      assertThat(namespace.findUnprotected(4, data.segment(), tuples.segment().asSlice(0, 128))).isEqualTo(-1);
      assertThat(namespace.findUnprotected(5, data.segment(), tuples.segment().asSlice(0, 128))).isZero();
    }
  }

  @Test
  void wrongProtectionFromTheHostIsReported() {
    try (Rig rig = new Rig(protectedBy(8, 1));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock data = rig.random(4096, Seeds.random());
      MemoryBlock tuples = rig.memory(64);
      namespace.protect(7, data.segment(), tuples.segment(), 0);
      NvmeBio bio = new NvmeBio();
      namespace.run(bio.write(namespace, 7, 8, data.ranges()).metadata(tuples.ranges()));
      assertThatThrownBy(() -> namespace.run(bio.write(namespace, 8, 8, data.ranges()).metadata(tuples.ranges())))
          .asInstanceOf(InstanceOfAssertFactories.type(NvmeException.class))
          .satisfies(e -> assertThat(e.kind()).isEqualTo(NvmeErrorKind.PROTECTION));
      namespace.run(
          bio.write(namespace, 8, 8, data.ranges()).metadata(tuples.ranges()).protection(NvmeBio.CHECK_GUARD, 0, 0));
    }
  }

  @Test
  void scatteredMetadataIsDescribedByAListAndSplitWithItsData() {
    try (Rig rig = new Rig(protectedBy(16, 0).with(c -> c.mdts(2)));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock data = rig.random(64 << 10, Seeds.random());
      MemoryBlock metadata = rig.random(8192, Seeds.random());
      namespace.run(new NvmeBio().write(namespace, 0, 128, data.ranges()).metadata(pieces(metadata)));
      MemoryBlock dataBack = rig.memory(64 << 10);
      MemoryBlock metadataBack = rig.memory(8192);
      namespace.run(new NvmeBio().read(namespace, 0, 128, dataBack.ranges()).metadata(pieces(metadataBack)));
      assertThat(dataBack.segment().mismatch(data.segment())).isEqualTo(-1);
      assertThat(metadataBack.segment().asSlice(0, 1000).mismatch(metadata.segment().asSlice(0, 1000))).isEqualTo(-1);
      assertThat(metadataBack.segment().asSlice(4096, 1048).mismatch(metadata.segment().asSlice(4096, 1048))).isEqualTo(-1);
      assertThat(controller.statistics().splits()).isPositive();
      assertThat(rig.model.violations()).isEmpty();
    }
  }

  /** 128 times 16 bytes in pieces that do not touch. */
  private static PhysRanges pieces(MemoryBlock memory) {
    return new BioVector().add(memory, 0, 200).add(memory, 200, 800).add(memory, 4096, 1048);
  }

  @Test
  void metadataThatOnlyTheCallerHasIsAskedFor() {
    try (Rig rig = new Rig(protectedBy(16, 0));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      assertThatThrownBy(() -> namespace.read(0, rig.memory(4096))).hasMessageContaining("16 bytes of metadata");
      assertThatThrownBy(namespace::openChannel).isInstanceOf(UnsupportedOperationException.class);
    }
  }

  @ParameterizedTest
  @CsvSource({"16, false, 1, CRC16", "16, true, 1, CRC16", "32, false, 2, CRC64", "32, true, 3, CRC64", "8, true, 1, CRC16"})
  void zeroedBlocksOfAProtectedFormatPassTheirChecks(int metadata, boolean extended, int type, ProtectionGuard guard) {
    NamespaceConfig format = ControllerMatrixTest.protectedBlocks(512, metadata, extended, type, guard);
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.namespaces(List.of(format))));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      namespace.writeZeroes(8, 8);
      namespace.verify(8, 8);
    }
  }

  @Test
  void limitsOfCommandsWithoutDataCountMetadataThatFollowsTheBlocks() {
    NamespaceConfig extended = ControllerMatrixTest.protectedBlocks(512, 16, true, 0, ProtectionGuard.CRC16);
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.namespaces(List.of(extended)).writeZeroesLimit(2).verifyLimit(3)));
        NvmeController controller = rig.open()) {
      controller.namespace(1).writeZeroes(0, 200);
      controller.namespace(1).verify(0, 200);
    }
  }

  @Test
  void callbackThatFailsCostsNoOtherRequestItsEnd() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      NvmeQueue queue = controller.queues().getFirst();
      NvmeBio failing =
          new NvmeBio()
              .flush(namespace)
              .onDone(
                  bio -> {
                    throw new AssertionError("thrown on purpose");
                  });
      NvmeBio innocent = new NvmeBio().flush(namespace);
      assertThat(queue.trySubmit(failing, false)).isTrue();
      assertThat(queue.trySubmit(innocent)).isTrue();
      queue.await(innocent);
      innocent.check();
      assertThat(failing.isDone()).isTrue();
    }
  }

  @Test
  void memoryThatOneRequestLackedIsNotWhatTheNextIsRefusedFor() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.sgl(SglSupport.NONE)));
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.memory(64 << 10);
      FailNth failures = ((ModelMachine) rig.machine).failNth();
      failures.arm(FailNth.Kind.ALLOCATE, 1);
      assertThatThrownBy(() -> namespace.read(0, memory)).isInstanceOf(DmaMappingException.class).hasMessageContaining("descriptor lists");
      failures.disarm();
      assertThatThrownBy(() -> namespace.read(0, 1, new BioVector().add(memory.phys(0) + 1, 512)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("fit neither pages of 4096 bytes");
    }
  }

  @Test
  void memoryThatIsForReadingOnlyIsNotReadInto() {
    try (Rig rig = new Rig(NvmeModelConfig.DEFAULT);
        NvmeController controller = rig.open()) {
      NvmeNamespace namespace = controller.namespace(1);
      MemoryBlock memory = rig.random(4096, Seeds.random());
      byte[] before = memory.segment().toArray(ValueLayout.JAVA_BYTE);
      MemorySegment readOnly = memory.segment().asReadOnly();
      assertThatThrownBy(() -> namespace.read(8, readOnly))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("0000:01:00.0")
          .hasMessageContaining("read-only");
      assertThat(memory.segment().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
      namespace.write(8, readOnly);
      namespace.compare(8, readOnly);
    }
  }

  private static NvmeModelConfig protectedBy(int metadata, int type) {
    return NvmeModelConfig.DEFAULT.with(
        c -> c.namespaces(List.of(ControllerMatrixTest.protectedBlocks(512, metadata, false, type, ProtectionGuard.CRC16))));
  }
}
