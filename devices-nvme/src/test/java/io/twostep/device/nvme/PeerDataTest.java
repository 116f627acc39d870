package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.debug.DebugBackend;
import io.twostep.backend.debug.DebugConfig;
import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.model.NvmeModelConfig.CmbUse;
import io.twostep.device.nvme.wire.NvmOpcode;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Moves data between two controllers below one switch, through the memory of the first: alone, and with host memory in the same request. */
class PeerDataTest {
  private static final String TREE =
      """
      host-bridge 8086:2020 bus=00-1f
      root-port 00:01.0 bus=01-0f
      upstream-port 01:00.0 bus=02-0f
      downstream-port 02:00.0 bus=03
      downstream-port 02:01.0 bus=04
      """;
  private static final DeviceAddress FIRST = new DeviceAddress("0000:03:00.0");
  private static final DeviceAddress SECOND = new DeviceAddress("0000:04:00.0");

  /** Where the first controller decodes its own buffer: no address of its BAR. */
  private static final long FAR = 0x7f00_0000_0000L;

  private static final int BYTES = 256 << 10;
  private static final int BLOCKS = BYTES / 512;

  /** Two controllers that can reach each other, the first with memory of its own. */
  private static final class Pair implements AutoCloseable {
    final ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M", "tree", TREE)));
    final TerminalBackend terminal;
    final DebugBackend checker = new DebugBackend(DebugConfig.defaults());
    final DmaStack stack;
    final NvmeControllerModel firstModel;
    final NvmeControllerModel secondModel;
    final NvmeController first;
    final NvmeController second;
    final PeerMemory shared;
    final RandomGenerator random = Seeds.random();

    private final SlotOptions options;

    Pair(boolean translated, NvmeModelConfig config) {
      this(translated ? SlotOptions.DEFAULT : SlotOptions.DEFAULT.withTranslation(Translation.NONE), translated, config);
    }

    private Pair(SlotOptions options, boolean translated, NvmeModelConfig config) {
      this.options = options;
      terminal = translated ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend();
      stack = DmaStack.of(terminal, List.of(checker, new P2pBackend(P2pConfig.defaults())));
      firstModel = new NvmeControllerModel(config.with(c -> c.cmbSize(2 << 20).cmbOffset(8192)));
      secondModel = new NvmeControllerModel(config);
      first = open(FIRST, firstModel, NvmeConfig.DEFAULT.withCmbAddress(FAR));
      second = open(SECOND, secondModel, NvmeConfig.DEFAULT);
      ControllerMemoryBuffer buffer = buffer();
      shared = buffer.publish();
      assertThat(new long[] {buffer.phys(), buffer.busAddress(), buffer.controllerAddress()}).doesNotHaveDuplicates();
    }

    ControllerMemoryBuffer buffer() {
      ControllerMemoryBuffer buffer = first.memoryBuffer();
      if (buffer == null) {
        throw new AssertionError("no controller memory buffer");
      }
      return buffer;
    }

    /** Return where the first controller was told to put the data of its only read: its commands lie in its own memory. */
    long dataPointerOfTheRead() {
      MemorySegment commands = buffer().segment();
      for (long entry = 0; entry < 128 * SqeLayout.SIZE; entry += SqeLayout.SIZE) {
        if (SqeLayout.OPCODE.get(commands, entry) == NvmOpcode.READ) {
          return SqeLayout.PRP1.get(commands, entry);
        }
      }
      throw new AssertionError("no read was submitted");
    }

    private NvmeController open(DeviceAddress address, NvmeControllerModel model, NvmeConfig how) {
      DeviceSlot slot = machine.plug(address, model, options);
      return NvmeController.open(DriverContext.of(machine, slot, stack, Settings.defaults(new NvmeDriverPlugin())), how);
    }

    MemoryBlock host(long bytes) {
      return machine.memory().allocate(bytes, MemoryPlacement.SCATTERED);
    }

    /** Write random blocks by way of host memory; returns what they hold. */
    MemoryBlock writtenTo(NvmeController controller) {
      MemoryBlock block = host(BYTES);
      Rig.fill(block.segment(), random);
      controller.namespace(1).write(0, block);
      return block;
    }

    void holds(NvmeController controller, MemorySegment expected) {
      try (MemoryBlock back = host(BYTES)) {
        controller.namespace(1).read(0, back);
        assertThat(back.segment().mismatch(expected)).as("%s", Seeds.at(0)).isEqualTo(-1);
      }
    }

    @Override
    public void close() {
      assertThat(firstModel.violations()).isEmpty();
      assertThat(secondModel.violations()).isEmpty();
      assertThat(shared.pins()).isZero();
      shared.close();
      first.close();
      second.close();
      assertThat(first.mapper().liveMappings() + second.mapper().liveMappings()).isZero();
      checker.close();
      assertThat(checker.reports(1)).isEmpty();
      assertThat(machine.stats().strayAccesses() + machine.stats().faults()).isZero();
      terminal.close();
      machine.close();
    }
  }

  @ParameterizedTest(name = "translated: {0}")
  @ValueSource(booleans = {false, true})
  void blocksGoFromOneControllerToTheOtherThroughTheFirstOnesMemory(boolean translated) {
    try (Pair pair = new Pair(translated, NvmeModelConfig.DEFAULT);
        MemoryBlock expected = pair.writtenTo(pair.first);
        PeerBlock between = pair.shared.allocate(BYTES)) {
      BioVector data = new BioVector().add(between.phys(), BYTES);
      NvmeNamespace from = pair.first.namespace(1);
      NvmeNamespace to = pair.second.namespace(1);
      from.run(new NvmeBio().read(from, 0, BLOCKS, data));
      assertThat(between.segment().mismatch(expected.segment())).as("in the BAR").isEqualTo(-1);
      long pointer = pair.dataPointerOfTheRead();
      assertThat(pointer).as("by the address that the controller itself decodes").isEqualTo(FAR + between.phys() - pair.buffer().phys());
      to.run(new NvmeBio().write(to, 0, BLOCKS, data));
      pair.holds(pair.second, expected.segment());
      between.segment().fill((byte) 0);
      to.run(new NvmeBio().read(to, 0, BLOCKS, data));
      assertThat(between.segment().mismatch(expected.segment())).as("read by the peer").isEqualTo(-1);
    }
  }

  @Test
  void untrustedControllerMovesDataInItsOwnMemoryAndItsPeerByTheHostBridge() {
    try (Pair pair = new Pair(SlotOptions.DEFAULT.withTrusted(false), true, NvmeModelConfig.DEFAULT);
        MemoryBlock expected = pair.writtenTo(pair.first);
        PeerBlock between = pair.shared.allocate(BYTES)) {
      BioVector data = new BioVector().add(between.phys(), BYTES);
      NvmeNamespace from = pair.first.namespace(1);
      NvmeNamespace to = pair.second.namespace(1);
      from.run(new NvmeBio().read(from, 0, BLOCKS, data));
      assertThat(between.segment().mismatch(expected.segment())).as("no port sends a request back to where it came from").isEqualTo(-1);
      assertThat(pair.dataPointerOfTheRead()).isEqualTo(FAR + between.phys() - pair.buffer().phys());
      to.run(new NvmeBio().write(to, 0, BLOCKS, data));
      pair.holds(pair.second, expected.segment());
      assertThat(pair.machine.peerBytes(pair.second.mapper().slot()).direct()).as("translated addresses only").isZero();
    }
  }

  private static final NvmeModelConfig UNMIXED = NvmeModelConfig.DEFAULT.with(c -> c.cmbUses(EnumSet.complementOf(EnumSet.of(CmbUse.MIXED_DATA))));

  @ParameterizedTest(name = "translated: {0}, mixed in one command: {1}")
  @CsvSource({"false, true", "true, true", "false, false", "true, false"})
  void oneRequestMixesHostMemoryAndMemoryOfAController(boolean translated, boolean mixes) {
    try (Pair pair = new Pair(translated, mixes ? NvmeModelConfig.DEFAULT : UNMIXED);
        MemoryBlock expected = pair.writtenTo(pair.first);
        MemoryBlock before = pair.host(BYTES);
        MemoryBlock after = pair.host(BYTES);
        PeerBlock between = pair.shared.allocate(BYTES)) {
      NvmeNamespace from = pair.first.namespace(1);
      NvmeNamespace to = pair.second.namespace(1);
      for (int round = 0; round < 8; round++) {
        int one = (1 + pair.random.nextInt(20)) * 4096;
        int two = (1 + pair.random.nextInt(20)) * 4096;
        BioVector mixed = new BioVector().add(before, 0, one).add(between.phys(), two).add(after, 0, BYTES - one - two);
        between.segment().fill((byte) 0);
        long commands = pair.first.statistics().commands();
        from.run(new NvmeBio().read(from, 0, BLOCKS, mixed));
        assertThat(pair.first.statistics().commands() - commands).isEqualTo(mixes ? 1 : 3);
        assertThat(between.segment().asSlice(0, two).mismatch(expected.segment().asSlice(one, two))).as("%s", Seeds.at(round)).isEqualTo(-1);
        to.run(new NvmeBio().write(to, 0, BLOCKS, mixed));
        pair.holds(pair.second, expected.segment());
      }
    }
  }

  @ParameterizedTest(name = "translated: {0}")
  @ValueSource(booleans = {false, true})
  void dataAndMetadataLieInMemoryOfDifferentKinds(boolean translated) {
    NvmeModelConfig withMetadata = NvmeModelConfig.DEFAULT.with(c -> c.namespaces(NamespaceConfig.ofMemory(BLOCKS, 512).withMetadata(8, false)));
    try (Pair pair = new Pair(translated, withMetadata);
        MemoryBlock hostData = pair.host(BYTES);
        MemoryBlock hostMetadata = pair.host(BLOCKS * 8);
        PeerBlock peerData = pair.shared.allocate(BYTES);
        PeerBlock peerMetadata = pair.shared.allocate(BLOCKS * 8)) {
      for (NvmeController controller : List.of(pair.first, pair.second)) {
        NvmeNamespace namespace = controller.namespace(1);
        Rig.fill(hostData.segment(), pair.random);
        Rig.fill(peerMetadata.segment(), pair.random);
        BioVector metadata = new BioVector().add(peerMetadata.phys(), BLOCKS * 8);
        namespace.run(new NvmeBio().write(namespace, 0, BLOCKS, hostData.ranges()).metadata(metadata));
        BioVector data = new BioVector().add(peerData.phys(), BYTES);
        namespace.run(new NvmeBio().read(namespace, 0, BLOCKS, data).metadata(hostMetadata.ranges()));
        assertThat(peerData.segment().mismatch(hostData.segment())).isEqualTo(-1);
        assertThat(hostMetadata.segment().mismatch(peerMetadata.segment())).isEqualTo(-1);
      }
    }
  }

  @Test
  void blockThatWouldMixMemoryIsRefusedWithWordsWhereTheControllerDoesNotMix() {
    try (Pair pair = new Pair(false, UNMIXED);
        MemoryBlock host = pair.host(4096);
        PeerBlock between = pair.shared.allocate(4096)) {
      assertThat(pair.buffer().mixesData()).isFalse();
      NvmeNamespace from = pair.first.namespace(1);
      BioVector inOneBlock = new BioVector().add(host, 0, 768).add(between.phys(), 256);
      assertThatThrownBy(() -> from.run(new NvmeBio().read(from, 8, 2, inOneBlock)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("READ of namespace 1, block 0x9: a block lies in the controller's memory buffer in part")
          .hasMessageContaining("CMBLOC.CDMMMS");
    }
  }

  @Test
  void dataAndMetadataOfOneBlockAreNotMixedWhereTheControllerDoesNotMix() {
    NvmeModelConfig withMetadata = UNMIXED.with(c -> c.namespaces(NamespaceConfig.ofMemory(BLOCKS, 512).withMetadata(8, false)));
    try (Pair pair = new Pair(false, withMetadata);
        MemoryBlock data = pair.host(BYTES);
        PeerBlock peerData = pair.shared.allocate(BYTES);
        PeerBlock peerMetadata = pair.shared.allocate(BLOCKS * 8)) {
      NvmeNamespace first = pair.first.namespace(1);
      NvmeNamespace second = pair.second.namespace(1);
      BioVector metadata = new BioVector().add(peerMetadata.phys(), BLOCKS * 8);
      assertThatThrownBy(() -> first.run(new NvmeBio().write(first, 0, BLOCKS, data.ranges()).metadata(metadata)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("a block and its metadata");
      second.run(new NvmeBio().write(second, 0, BLOCKS, data.ranges()).metadata(metadata));
      first.run(new NvmeBio().write(first, 0, BLOCKS, new BioVector().add(peerData.phys(), BYTES)).metadata(metadata));
    }
  }

  @Test
  void bufferThatTakesDataOfOneDirectionAloneIsNotPublished() {
    NvmeModelConfig oneWay = NvmeModelConfig.DEFAULT.with(c -> c.cmbSize(1 << 20).cmbUses(EnumSet.of(CmbUse.READ_DATA)));
    try (Rig rig = new Rig(oneWay);
        NvmeController controller = rig.open()) {
      ControllerMemoryBuffer buffer = controller.memoryBuffer();
      assertThat(buffer).isNotNull();
      assertThatThrownBy(() -> buffer.publish()).isInstanceOf(IllegalStateException.class).hasMessageContaining("no data of both directions");
    }
    NvmeModelConfig full = NvmeModelConfig.DEFAULT.with(c -> c.cmbSize(8192));
    try (Rig rig = new Rig(full);
        NvmeController controller = rig.open()) {
      ControllerMemoryBuffer buffer = controller.memoryBuffer();
      assertThat(buffer).isNotNull();
      assertThatThrownBy(() -> buffer.publish()).isInstanceOf(IllegalStateException.class).hasMessageContaining("queues fill it");
    }
  }
}
