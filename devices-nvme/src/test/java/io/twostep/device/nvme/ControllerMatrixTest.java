package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NamespaceConfig.ProtectionGuard;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.model.NvmeModelConfig.SglSupport;
import io.twostep.dma.MemoryBlock;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Drives many different controllers through many stacks with random requests, against an image of what the blocks must hold. */
class ControllerMatrixTest {
  private static final int ROUNDS = 30;
  private static final long BLOCKS = 4096;

  /** Requests that end inside a cache line, which a device that does not snoop cannot be given. */
  private static final String ODD = "extended metadata";

  static Stream<Arguments> controllersAndStacks() {
    return controllers().entrySet().stream()
        .flatMap(
            c ->
                Arrays.stream(Rig.Stack.values())
                    .filter(s -> s != Rig.Stack.NON_COHERENT || !c.getKey().equals(ODD))
                    .map(s -> Arguments.of(c.getKey(), s, c.getValue())));
  }

  static Map<String, NvmeModelConfig> controllers() {
    NvmeModelConfig plain = NvmeModelConfig.DEFAULT.with(c -> c.namespaces(List.of(NamespaceConfig.ofMemory(BLOCKS, 512))));
    return Map.ofEntries(
        Map.entry("as it comes", plain),
        Map.entry("doorbell stride 2", plain.with(c -> c.doorbellStride(2))),
        Map.entry("doorbell stride 6, no shadow", plain.with(c -> c.doorbellStride(6).shadowDoorbells(false))),
        Map.entry("no SGL", plain.with(c -> c.sgl(SglSupport.NONE))),
        Map.entry("dword SGL", plain.with(c -> c.sgl(SglSupport.DWORD))),
        Map.entry("MDTS 8 KiB", plain.with(c -> c.mdts(1))),
        Map.entry("MDTS one page, no SGL", plain.with(c -> c.mdts(0).sgl(SglSupport.NONE).queueEntries(3))),
        Map.entry("queues of 2 entries", plain.with(c -> c.queueEntries(2))),
        Map.entry("queues of 5 entries", plain.with(c -> c.queueEntries(5))),
        Map.entry("pages of 16 KiB at least", plain.with(c -> c.pageSizeMin(16384).pageSizeMax(65536))),
        Map.entry("one queue, one vector", plain.with(c -> c.ioQueues(1).vectors(1))),
        Map.entry("slow ready", plain.with(c -> c.readyNanos(3_000_000_000L).shutdownNanos(1_000_000_000L))),
        Map.entry("32-bit registers", plain.with(c -> c.registers32Only(true))),
        Map.entry("a CMB", plain.with(c -> c.cmbSize(1 << 20).cmbOffset(8192))),
        Map.entry("no optional commands", plain.with(c -> c.commands(Set.of()).writeCache(false))),
        Map.entry("blocks of 4096", plain.with(c -> c.namespaces(List.of(NamespaceConfig.ofMemory(BLOCKS, 4096))))),
        Map.entry("protected, inserted", plain.with(c -> c.namespaces(List.of(protectedBlocks(512, 8, false, 1, ProtectionGuard.CRC16))))),
        Map.entry("protected by 64 bits", plain.with(c -> c.namespaces(List.of(protectedBlocks(4096, 16, false, 1, ProtectionGuard.CRC64))))),
        Map.entry("protected, extended", plain.with(c -> c.namespaces(List.of(protectedBlocks(512, 8, true, 2, ProtectionGuard.CRC16))))),
        Map.entry(ODD, plain.with(c -> c.namespaces(List.of(protectedBlocks(512, 16, true, 0, ProtectionGuard.CRC16))))));
  }

  static NamespaceConfig protectedBlocks(int blockSize, int metadata, boolean extended, int type, ProtectionGuard guard) {
    return new NamespaceConfig(null, BLOCKS, blockSize, metadata, extended, type, false, guard, false);
  }

  @ParameterizedTest(name = "{0} through {1}")
  @MethodSource("controllersAndStacks")
  void everyRandomRequestMovesItsBytes(String name, Rig.Stack stack, NvmeModelConfig config) {
    RandomGenerator random = Seeds.random();
    try (Rig rig = new Rig(config, stack, Map.of())) {
      NvmeConfig how =
          NvmeConfig.DEFAULT
              .withIoQueues(1 + random.nextInt(3))
              .withQueueDepth(2 + random.nextInt(40))
              .withCompletion(random.nextBoolean() ? NvmeConfig.Completion.POLLED : NvmeConfig.Completion.INTERRUPT)
              .withSglThreshold(random.nextBoolean() ? 32768 : 4096);
      try (NvmeController controller = rig.open(how)) {
        new History(rig, controller, random).run();
        assertThat(controller.state()).isEqualTo(NvmeState.LIVE);
      }
      assertThat(rig.model.violations()).as("%s", Seeds.at(0)).isEmpty();
    }
  }

  /** A random history of requests on one namespace, and the image of what its blocks must hold. */
  private static final class History {
    private final Rig rig;
    private final NvmeController controller;
    private final NvmeNamespace namespace;
    private final RandomGenerator random;
    private final int perBlock;
    private final byte[] image;

    History(Rig rig, NvmeController controller, RandomGenerator random) {
      this.rig = rig;
      this.controller = controller;
      this.random = random;
      namespace = controller.namespace(1);
      perBlock = (int) namespace.dataBytes(1);
      image = new byte[(int) (namespace.blocks() * perBlock)];
    }

    void run() {
      if (namespace.isExtended() && namespace.protectionType() == 0) {
        // Metadata of blocks that were never written is all ones.
        write(0, (int) namespace.blocks());
      }
      for (int round = 0; round < ROUNDS; round++) {
        int blocks = 1 + random.nextInt(random.nextInt(4) == 0 ? 700 : 20);
        int lba = random.nextInt((int) namespace.blocks() - blocks);
        switch (random.nextInt(8)) {
          case 0, 1, 2 -> write(lba, blocks);
          case 3, 4, 5 -> read(lba, blocks, round);
          case 6 -> zero(lba, blocks);
          default -> compare(lba, blocks, round);
        }
      }
      read(0, 700, ROUNDS);
    }

    /** Memory in pieces that the controller can take: cut anywhere with SGLs, at blocks without. */
    private BioVector pieces(int bytes, MemoryBlock memory) {
      int unit = Math.max(512, Integer.lowestOneBit(perBlock));
      BioVector vector = new BioVector();
      long at = 0;
      boolean odd = perBlock % 512 != 0;
      while (at < bytes) {
        long left = bytes - at;
        long piece = odd || random.nextInt(3) == 0 ? left : Math.min(left, (1 + random.nextInt(16)) * (long) unit);
        vector.add(memory, at, piece);
        at += piece;
      }
      return vector;
    }

    private void write(int lba, int blocks) {
      int bytes = blocks * perBlock;
      MemoryBlock memory = rig.random(bytes, random);
      controller.namespace(1).run(new NvmeBio().write(namespace, lba, blocks, pieces(bytes, memory)));
      copyOut(memory, image, lba * perBlock, bytes);
      rig.release(memory);
    }

    private void read(int lba, int blocks, int round) {
      int bytes = blocks * perBlock;
      MemoryBlock memory = rig.random(bytes, random);
      namespace.run(new NvmeBio().read(namespace, lba, blocks, pieces(bytes, memory)));
      byte[] found = new byte[bytes];
      copyOut(memory, found, 0, bytes);
      assertThat(Arrays.mismatch(found, Arrays.copyOfRange(image, lba * perBlock, lba * perBlock + bytes)))
          .as("%s: first byte that differs in %d blocks from %d", Seeds.at(round), blocks, lba)
          .isEqualTo(-1);
      rig.release(memory);
    }

    private void zero(int lba, int blocks) {
      if (controller.supports(NvmeOperation.WRITE_ZEROES) && !namespace.isExtended()) {
        namespace.writeZeroes(lba, blocks);
        Arrays.fill(image, lba * perBlock, (lba + blocks) * perBlock, (byte) 0);
      }
    }

    private void compare(int lba, int blocks, int round) {
      if (!controller.supports(NvmeOperation.COMPARE) || namespace.protectionType() != 0) {
        return;
      }
      int bytes = blocks * perBlock;
      MemoryBlock memory = rig.memory(bytes);
      MemorySegment.copy(image, lba * perBlock, memory.segment(), ValueLayout.JAVA_BYTE, 0, bytes);
      namespace.run(new NvmeBio().compare(namespace, lba, blocks, pieces(bytes, memory)));
      rig.release(memory);
    }

    private static void copyOut(MemoryBlock from, byte[] to, int at, int bytes) {
      MemorySegment.copy(from.segment(), ValueLayout.JAVA_BYTE, 0, to, at, bytes);
    }
  }
}
