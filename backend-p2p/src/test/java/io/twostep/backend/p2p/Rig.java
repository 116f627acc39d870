package io.twostep.backend.p2p;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.FlushPolicy;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.tck.ProbeDevice;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A modelled machine with an importing device below a switch and three providers: beside it below the switch, behind the host bridge, and behind another that nobody knows.
 *
 * <p>Checks at close that nothing is left.
 */
final class Rig implements AutoCloseable {
  static final String TREE =
      """
      host-bridge 8086:2020 bus=00-1f
      root-port 00:01.0 bus=01-0f
      upstream-port 01:00.0 bus=02-0f
      downstream-port 02:00.0 bus=03
      downstream-port 02:01.0 bus=04
      root-port 00:02.0 bus=10
      root-port 00:03.0 bus=11
      host-bridge dead:beef bus=40-4f
      root-port 40:01.0 bus=41
      """;

  /** The stacks that every rule is tried on. */
  enum Kind {
    DIRECT(false, false, SlotOptions.DEFAULT.withTranslation(Translation.NONE)),
    DIRECT_NOT_SNOOPING(false, true, SlotOptions.DEFAULT.withTranslation(Translation.NONE).withCoherent(false)),
    DIRECT_FORCED(false, true, SlotOptions.DEFAULT.withTranslation(Translation.NONE)),
    IOMMU(true, false, SlotOptions.DEFAULT),
    IOMMU_LAZY(true, false, SlotOptions.DEFAULT),
    IOMMU_NOT_SNOOPING(true, true, SlotOptions.DEFAULT.withCoherent(false)),
    IOMMU_FORCED(true, true, SlotOptions.DEFAULT),
    HOST(true, false, SlotOptions.DEFAULT.withTranslation(Translation.NONE)),
    /** Granules smaller than frames, which no table format here has. */
    HOST_2K(true, false, SlotOptions.DEFAULT.withTranslation(Translation.NONE)),
    UNTRUSTED(true, true, SlotOptions.DEFAULT.withTrusted(false));

    final boolean translates;
    final boolean bounces;
    final SlotOptions options;

    Kind(boolean translates, boolean bounces, SlotOptions options) {
      this.translates = translates;
      this.bounces = bounces;
      this.options = options;
    }
  }

  static final int PAGE = 4096;

  /** A deadline, on the machine's real clock, that nobody misses: however long the scheduler keeps an importer waiting, its device is not stopped for it. */
  static final long PATIENCE_NANOS = TimeUnit.HOURS.toNanos(1);

  /** Bytes of each provider's memory. */
  static final int PEER_BYTES = 256 << 10;

  final Kind kind;
  final Arena arena = Arena.ofShared();
  final ModelMachine machine;

  /** The machine as software sees it. */
  final Machine seen;

  /** The host's side of the device's address space; used where a host translates. */
  final HostedSpace host;

  final P2pBackend p2p = new P2pBackend(P2pConfig.defaults());
  final CountingLayer counting = new CountingLayer();
  final TerminalBackend terminal;
  final List<LayerBackend> layers = new ArrayList<>();
  final ProbeDevice device = ProbeDevice.withMemory(Rig.PEER_BYTES);
  final DeviceSlot slot;
  final ProbeDevice near = ProbeDevice.withMemory(Rig.PEER_BYTES);
  final ProbeDevice behind = ProbeDevice.withMemory(Rig.PEER_BYTES);
  final ProbeDevice far = ProbeDevice.withMemory(Rig.PEER_BYTES);
  final PeerMemory nearMemory;
  final PeerMemory behindMemory;
  final PeerMemory farMemory;
  final DmaMapper mapper;
  private final List<MemoryBlock> blocks = new ArrayList<>();
  private boolean checked = true;

  Rig(Kind kind) {
    this(kind, DeviceLimits.UNLIMITED);
  }

  Rig(Kind kind, DeviceLimits limits, String... settings) {
    this.kind = kind;
    Map<String, String> given = new HashMap<>(Map.of("memory", "64M", "tree", TREE, "iotlb", "adversarial"));
    for (int i = 0; i < settings.length; i += 2) {
      given.put(settings[i], settings[i + 1]);
    }
    machine = ModelMachine.create(ModelMachineConfig.of(given));
    boolean hosted = kind == Kind.HOST || kind == Kind.HOST_2K;
    slot = plug("0000:03:00.0", device, kind.options);
    host = new HostedSpace(machine.addressSpaceFor(slot), kind == Kind.HOST_2K ? PAGE / 2 : PAGE);
    if (hosted) {
      device.through(host::translate);
    }
    seen = hosted ? new HostedMachine(machine, machine.memory(), slot, host) : machine;
    nearMemory = publish("0000:04:00.0", near, kind.options);
    behindMemory = publish("0000:10:00.0", behind, SlotOptions.DEFAULT);
    host.claim(new AddressRange(nearMemory.range().busAddress(), nearMemory.range().busAddress() + Rig.PEER_BYTES - 1, "the switch's"));
    farMemory = publish("0000:41:00.0", far, SlotOptions.DEFAULT);
    FlushPolicy policy = kind == Kind.IOMMU_LAZY ? FlushPolicy.LAZY : FlushPolicy.STRICT;
    terminal = kind.translates ? new IommuBackend(IommuConfig.defaults().withFlush(policy)) : new DirectBackend();
    layers.add(p2p);
    layers.add(counting);
    if (kind.bounces) {
      boolean force = kind == Kind.DIRECT_FORCED || kind == Kind.IOMMU_FORCED;
      layers.add(new SwiotlbBackend(SwiotlbConfig.defaults().withSize(1 << 20, 4 << 20).withAreas(1).withForce(force)));
    }
    mapper = DmaStack.of(terminal, layers).attach(seen, slot, limits);
  }

  private DeviceSlot plug(String address, ProbeDevice model, SlotOptions options) {
    DeviceSlot plugged = machine.plug(new DeviceAddress(address), model, options);
    plugged.busMaster(true);
    return plugged;
  }

  private PeerMemory publish(String address, ProbeDevice model, SlotOptions options) {
    return PeerMemory.publish(seen, plug(address, model, options), ProbeDevice.MEMORY_BAR, 0, Rig.PEER_BYTES);
  }

  MemoryBlock allocate(long length) {
    MemoryBlock block = machine.memory().allocate(length, MemoryPlacement.SCATTERED);
    blocks.add(block);
    return block;
  }

  long liveRanges() {
    return terminal instanceof IommuBackend iommu ? iommu.statistics().liveRanges() : 0;
  }

  /** What a request could leave behind. */
  String accounts() {
    return "live " + mapper.liveMappings() + ", quarantined " + mapper.quarantined() + ", ranges " + liveRanges() + ", pins " + nearMemory.pins() + " "
        + behindMemory.pins() + " " + farMemory.pins() + ", mapped " + machine.stats().blocksMapped() + ", host " + host.mappings();
  }

  static byte[] pattern(int length, int salt) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = (byte) (i * 31 + (i >>> 8) * 7 + salt * 13 + 1);
    }
    return bytes;
  }

  /** Let modelled time pass until {@code future} is done. */
  void pauseUntilDone(CompletableFuture<Void> future) {
    while (!future.isDone()) {
      machine.timers().pause();
    }
  }

  static byte[] bytesOf(MemoryBlock block, long offset, int length) {
    return block.segment().asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  /** Leave out the checks at close, for a test in which something is lost for good. */
  void expectLosses() {
    checked = false;
  }

  @Override
  public void close() {
    try {
      if (checked) {
        assertThat(mapper.liveMappings()).as("live mappings").isZero();
        assertThat(mapper.quarantined()).as("quarantined").isZero();
        mapper.awaitQuiescence();
        mapper.close();
        nearMemory.close();
        behindMemory.close();
        farMemory.close();
        assertThat(p2p.statistics().devices()).isZero();
        p2p.close();
        assertThat(liveRanges()).as("I/O address ranges").isZero();
        assertThat(host.mappings()).as("mappings of the host").isZero();
        layers.forEach(LayerBackend::close);
        terminal.close();
        blocks.forEach(MemoryBlock::close);
        assertThat(machine.stats().framesInUse()).as("frames in use").isZero();
        assertThat(machine.stats().strayAccesses()).as("stray accesses").isZero();
      }
    } finally {
      machine.close();
      arena.close();
    }
  }
}
