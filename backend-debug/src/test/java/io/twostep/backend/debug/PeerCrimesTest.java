package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.backend.p2p.P2pConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaStack;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ForwardingOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachinePlugin;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The checker above the peer layer: what is right is no report, whichever way a peer is reached, and what is wrong is one. */
class PeerCrimesTest {
  private static final long PAGE = Rig.PAGE;
  private final DebugBackend checker = new DebugBackend(Rig.QUIET);
  private final P2pBackend p2p = new P2pBackend(P2pConfig.defaults());
  private final ModelMachine machine = machine();

  private static ModelMachine machine() {
    ModelMachinePlugin plugin = new ModelMachinePlugin();
    return (ModelMachine) plugin.create(Settings.of(plugin, Map.of("memory", "64M", "tree", Ground.TREE)));
  }

  private DmaMapper attach(boolean translated, ProbeDevice device) {
    return attach(translated, device, checker, p2p);
  }

  private DmaMapper attach(boolean translated, ProbeDevice device, LayerBackend... layers) {
    TerminalBackend terminal = translated ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend();
    DeviceSlot slot = machine.plug(new DeviceAddress(Ground.FIRST), device, standing(translated));
    slot.busMaster(true);
    return DmaStack.of(terminal, layers).attach(machine, slot, DeviceLimits.UNLIMITED);
  }

  private static SlotOptions standing(boolean translated) {
    return SlotOptions.DEFAULT.withTranslation(translated ? Translation.TRANSLATED : Translation.NONE);
  }

  /** Publish the memory of a device: beside the importer below the switch, or behind the host bridge. */
  private PeerMemory publish(String address, boolean translated) {
    ProbeDevice device = ProbeDevice.withMemory(64 << 10);
    DeviceSlot provider = machine.plug(new DeviceAddress(address), device, standing(translated));
    return PeerMemory.publish(machine, provider, ProbeDevice.MEMORY_BAR, 0, device.memoryLength());
  }

  @AfterEach
  void close() {
    machine.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void everyMixOfMemoryAndPeersIsSilent(boolean translated) {
    ProbeDevice device = new ProbeDevice();
    PeerMemory near = publish(Ground.NEAR, translated);
    PeerMemory behind = publish(Ground.BEHIND, translated);
    DmaMapper mapper = attach(translated, device);
    MemoryBlock block = machine.memory().allocate(4 * PAGE, MemoryPlacement.CONTIGUOUS);
    long local = block.phys(0);
    // Every request twice: addresses are given out again.
    for (int round = 0; round < 2; round++) {
      run(mapper, device, local, near.phys(), local + 2 * PAGE);
      run(mapper, device, local, behind.phys(), local + 2 * PAGE);
      run(mapper, device, local, near.phys(), local + PAGE, behind.phys(), local + 3 * PAGE);
      run(mapper, device, near.phys(), behind.phys());
      single(mapper, device, near.phys());
      single(mapper, device, behind.phys());
      if (translated) {
        linked(mapper, device, behind.phys(), local);
      }
    }
    mapper.awaitQuiescence();
    assertThat(checker.statistics().followed()).isPositive();
    assertThat(checker.statistics().live()).isZero();
    mapper.close();
    near.close();
    behind.close();
    block.close();
    checker.close();
    assertThat(checker.reports(Integer.MAX_VALUE)).isEmpty();
  }

  private static void run(DmaMapper mapper, ProbeDevice device, long... pages) {
    try (DmaTransfer transfer = mapper.newTransfer()) {
      List<Long> entries = new ArrayList<>();
      transfer.map(new Pages(pages), FROM_DEVICE, NONE, (address, length, kind) -> entries.add(address));
      for (long address : entries) {
        device.write(address, new byte[64]);
      }
      transfer.syncForCpu(0, pages.length * PAGE);
      transfer.syncForDevice(0, pages.length * PAGE);
      transfer.unmap();
    }
  }

  private static void single(DmaMapper mapper, ProbeDevice device, long phys) {
    try (DmaMapping mapping = mapper.map(phys + 8, 512, BIDIRECTIONAL, NONE)) {
      device.write(mapping.dmaAddress(), new byte[512]);
    }
  }

  private static void linked(DmaMapper mapper, ProbeDevice device, long peer, long local) {
    try (IovaReservation window = mapper.newReservation()) {
      assertThat(window.tryAlloc(0, 2 * PAGE, FROM_DEVICE, NONE)).isTrue();
      window.link(0, peer, PAGE);
      window.link(PAGE, local, PAGE);
      window.sync(0, 2 * PAGE);
      device.write(window.address(), new byte[64]);
      window.destroy();
    }
  }

  @Test
  void peersThatOnlyABusAddressReachesAreNotLinked() {
    PeerMemory near = publish(Ground.NEAR, true);
    DmaMapper mapper = attach(true, new ProbeDevice());
    IovaReservation window = mapper.newReservation();
    assertThat(window.tryAlloc(0, 4 * PAGE, TO_DEVICE, NONE)).isTrue();
    assertThatThrownBy(() -> window.link(0, near.phys(), PAGE)).isInstanceOf(DmaMappingException.class);
    Report report = only(Rule.BUS_ADDRESS_LINKED, true);
    assertThat(report.first()).isEqualTo(near.phys());
    assertThat(report.text(8)).contains("earlier: window reserved");
  }

  /** What the mapper found when it began holds; what is found later may be about another way, which there was for a while. */
  @Test
  void wayThatChangesAndComesBackDuringAMapIsSilent() {
    PeerMemory near = publish(Ground.NEAR, true);
    DmaMapper mapper = attach(true, new ProbeDevice(), checker, new FlickeringWay(), p2p);
    DmaMapping mapping = mapper.map(near.phys(), PAGE, BIDIRECTIONAL, NONE);
    assertThat(mapping.needsUnmap()).isFalse();
    mapping.close();
    mapper.close();
    checker.close();
    assertThat(checker.reports(Integer.MAX_VALUE)).isEmpty();
  }

  /** Has the switch send requests up while anybody but the mapper, which comes first, asks for the way. */
  private final class FlickeringWay implements LayerBackend {
    @Override
    public String name() {
      return "flickering";
    }

    @Override
    public DmaOps attach(AttachContext context, DmaOps next) {
      return new ForwardingOps(next) {
        private int asked;

        @Override
        public int classify(long phys, long length) {
          if (asked++ == 0) {
            return super.classify(phys, length);
          }
          machine.accessControl("0000:02:01.0", "rr+cr");
          int kind = super.classify(phys, length);
          machine.accessControl("0000:02:01.0", "none");
          return kind;
        }
      };
    }

    @Override
    public void close() {}
  }

  private Report only(Rule rule, boolean earlier) {
    List<Report> reports = checker.reports(Integer.MAX_VALUE);
    assertThat(reports).hasSize(1);
    assertThat(reports.getFirst().rule()).isEqualTo(rule);
    assertThat(reports.getFirst().earlier() != null).isEqualTo(earlier);
    return reports.getFirst();
  }

  /** Single pages. */
  private static final class Pages implements PhysRanges {
    private final long[] pages;
    private int next;

    Pages(long... pages) {
      this.pages = pages;
    }

    @Override
    public void rewind() {
      next = 0;
    }

    @Override
    public int fill(long[] phys, long[] length) {
      int filled = 0;
      for (; filled < phys.length && next < pages.length; filled++, next++) {
        phys[filled] = pages[next];
        length[filled] = PAGE;
      }
      return filled;
    }
  }
}
