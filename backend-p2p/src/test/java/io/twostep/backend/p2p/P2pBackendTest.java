package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.p2p.Rig.Kind;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.PeerMapType;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.tck.ProbeDevice;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The layer around its mappings: when it is in a stack, what it remembers, and where it says the nearest memory is. */
class P2pBackendTest {
  private static final int PAGE = Rig.PAGE;

  private static PeerMapType type(Rig rig, PeerMemory memory) {
    return rig.p2p.path(rig.machine, rig.slot, memory.provider()).type();
  }

  @Test
  void onAMachineWithoutRoutesTheLayerIsNotInTheStack() {
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "4M")))) {
      DeviceSlot slot =
          machine.plug(new DeviceAddress("0000:01:00.0"), ProbeDevice.withMemory(Rig.PEER_BYTES), SlotOptions.DEFAULT.withTranslation(Translation.NONE));
      AttachContext context = new AttachContext(machine, slot, machine.addressSpaceFor(slot), DeviceLimits.UNLIMITED, 0);
      DmaOps terminal = new DirectBackend().attach(context);
      P2pBackend layer = new P2pBackend(P2pConfig.defaults());
      assertThat(layer.attach(context, terminal)).isSameAs(terminal);
      layer.close();
      assertThatThrownBy(() -> layer.attach(context, terminal)).as("once it is closed").hasMessage("0000:01:00.0: layer p2p is closed; make a new one");
    }
  }

  @Test
  void theLayerStaysOpenWhileADeviceHasIt() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      assertThatThrownBy(rig.p2p::close).hasMessageContaining("still serves 1 devices");
    }
  }

  @Test
  void routesAreForgottenWithTheLastDevice() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      PeerMapType known = type(rig, rig.nearMemory);
      assertThat(type(rig, rig.nearMemory)).isEqualTo(known);
      assertThat(rig.p2p.statistics().routesJudged()).isEqualTo(1);
      rig.mapper.close();
      assertThat(type(rig, rig.nearMemory)).isEqualTo(known);
      assertThat(rig.p2p.statistics().routesJudged()).isEqualTo(2);
      assertThat(rig.p2p.statistics().devices()).isZero();
    }
  }

  @Test
  void routesAreJudgedOnceUntilTheTreeChanges() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      for (int i = 0; i < 5; i++) {
        rig.mapper.map(rig.nearMemory.phys() + (long) i * PAGE, PAGE, FROM_DEVICE, NONE).close();
        rig.mapper.map(rig.behindMemory.phys() + (long) i * PAGE, PAGE, FROM_DEVICE, NONE).close();
      }
      assertThat(rig.p2p.statistics().routesJudged()).isEqualTo(2);
      assertThat(rig.p2p.statistics().busMappings()).isEqualTo(5);
      rig.machine.accessControl("0000:02:01.0", "rr");
      assertThat(type(rig, rig.nearMemory)).isEqualTo(PeerMapType.THROUGH_HOST_BRIDGE);
      try (DmaMapping mapping = rig.mapper.map(rig.nearMemory.phys(), PAGE, FROM_DEVICE, NONE)) {
        assertThat(mapping.dmaAddress()).as("translated now").isNotEqualTo(rig.nearMemory.range().busAddress());
        assertThat(rig.device.tryWrite(mapping.dmaAddress(), Rig.pattern(16, 1))).isTrue();
        assertThat(rig.near.memory(0, 16)).isEqualTo(Rig.pattern(16, 1));
      }
      rig.machine.accessControl("0000:02:01.0", "none");
      try (DmaMapping mapping = rig.mapper.map(rig.nearMemory.phys(), PAGE, FROM_DEVICE, NONE)) {
        assertThat(mapping.dmaAddress()).isEqualTo(rig.nearMemory.range().busAddress());
      }
    }
  }

  @Test
  void aTreeThatChangesWhileARequestIsMappedRefusesTheRequest() {
    try (Rig rig = new Rig(Kind.IOMMU);
        var transfer = rig.mapper.newTransfer()) {
      var block = rig.allocate(PAGE);
      // The first entry is handed out before the peer behind it is mapped.
      assertThatThrownBy(
              () ->
                  transfer.map(
                      TestRanges.of(rig.nearMemory.phys(), PAGE, block.phys(0), PAGE, rig.nearMemory.phys() + 8L * PAGE, PAGE),
                      FROM_DEVICE,
                      NONE,
                      (dmaAddress, length, kind) -> {
                        rig.machine.accessControl("0000:02:00.0", "rr");
                        return true;
                      }))
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.PEER_UNREACHABLE))
          .hasMessageContaining("map it again");
      assertThat(rig.liveRanges()).isZero();
    }
  }

  @Test
  void theReasonIsToldInWords() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      PeerPath near = rig.p2p.path(rig.machine, rig.slot, rig.nearMemory.provider());
      assertThat(near.reason()).isEqualTo("both are below 0000:01:00.0 and nothing on the way sends requests up");
      assertThat(near.distance()).isEqualTo(4);
      PeerPath behind = rig.p2p.path(rig.machine, rig.slot, rig.behindMemory.provider());
      assertThat(behind.reason()).isEqualTo("the two meet at no switch, and host bridge 0000:00 (8086:2020) forwards");
      rig.machine.accessControl("0000:02:00.0", "rr+cr");
      assertThat(rig.p2p.path(rig.machine, rig.slot, rig.nearMemory.provider()).reason())
          .startsWith("0000:02:00.0 sends peers' requests up by access control: request redirect, completion redirect");
    }
  }

  @Test
  void theNearestMemoryIsTheOneAllClientsReachOverTheFewestLinks() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      List<PeerMemory> all = List.of(rig.farMemory, rig.behindMemory, rig.nearMemory);
      assertThat(rig.p2p.nearest(rig.machine, all, List.of(rig.slot))).isSameAs(rig.nearMemory);
      DeviceSlot behind = rig.behindMemory.provider();
      assertThat(rig.p2p.nearest(rig.machine, all, List.of(behind))).isSameAs(rig.behindMemory);
      assertThat(rig.p2p.nearest(rig.machine, all, List.of())).isNull();
      assertThat(rig.p2p.nearest(rig.machine, List.of(rig.farMemory), List.of(rig.slot))).isNull();
      assertThat(rig.p2p.nearest(rig.machine, all, List.of(rig.slot, rig.farMemory.provider()))).isNull();
      rig.nearMemory.revoke();
      assertThat(rig.p2p.nearest(rig.machine, all, List.of(rig.slot))).isSameAs(rig.behindMemory);
    }
  }

  @Test
  void amongEquallyNearMemoryTheOneWithMoreRoomIsNearest() {
    try (Rig rig = new Rig(Kind.IOMMU)) {
      rig.nearMemory.revoke();
      rig.nearMemory.close();
      try (PeerMemory small = PeerMemory.publish(rig.machine, rig.nearMemory.provider(), ProbeDevice.MEMORY_BAR, 0, PAGE);
          PeerMemory large = PeerMemory.publish(rig.machine, rig.nearMemory.provider(), ProbeDevice.MEMORY_BAR, PAGE, 4 * PAGE)) {
        assertThat(rig.p2p.nearest(rig.machine, List.of(small, large), List.of(rig.slot))).isSameAs(large);
        large.allocate(4 * PAGE).close();
        var taken = large.allocate(4 * PAGE);
        assertThat(rig.p2p.nearest(rig.machine, List.of(large, small), List.of(rig.slot))).isSameAs(small);
        taken.close();
      }
    }
  }

  @Test
  void hostBridgesAreBelievedAsTheSettingSays() {
    try (Rig rig = new Rig(Kind.IOMMU);
        DmaMapper mapper =
            DmaStack.of(rig.terminal, new P2pBackendPlugin().create(Settings.of(new P2pBackendPlugin(), Map.of("host-bridges", "known,dead:beef=any"))))
                .attach(rig.seen, rig.slot, DeviceLimits.UNLIMITED);
        DmaMapping mapping = mapper.map(rig.farMemory.phys(), PAGE, FROM_DEVICE, NONE)) {
      assertThat(rig.device.tryWrite(mapping.dmaAddress(), Rig.pattern(16, 7))).isTrue();
      assertThat(rig.far.memory(0, 16)).isEqualTo(Rig.pattern(16, 7));
    }
  }

  @Test
  void thePluginLiesAboveTheBounceLayer() {
    P2pBackendPlugin plugin = new P2pBackendPlugin();
    assertThat(plugin.layer()).isTrue();
    assertThat(plugin.mustLieAbove()).containsExactly("swiotlb");
    assertThat(plugin.name()).isEqualTo("p2p");
    assertThat(plugin.settings()).allSatisfy(setting -> assertThat(setting.meaning()).isNotBlank());
    assertThat(P2pConfig.defaults().hostBridges()).isEqualTo("known");
  }

  @Test
  void writesAreTrackedOnlyWhereNoBusAddressIsHandedOut() {
    for (Rig.Kind kind : Rig.Kind.values()) {
      try (Rig rig = new Rig(kind)) {
        assertThat(rig.mapper.limits().dirtyTracking()).as("%s", kind).isEqualTo(kind == Rig.Kind.UNTRUSTED);
        if (kind != Rig.Kind.UNTRUSTED) {
          String reason = !kind.translates ? "nothing translates for it" : kind.name().startsWith("HOST") ? "a host keeps its translations" : "bus addresses of peers";
          assertThatThrownBy(rig.mapper::dirtyTracking).isInstanceOf(DmaMappingException.class).hasMessageContaining(reason).hasMessageContaining("; ");
        }
      }
    }
  }
}
