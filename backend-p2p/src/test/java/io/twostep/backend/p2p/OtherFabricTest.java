package io.twostep.backend.p2p;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaStack;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PeerMemory;
import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.FabricNode;
import io.twostep.dma.spi.FabricNode.Role;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.PeerMapType;
import io.twostep.dma.spi.PeerRoute;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Timers;
import io.twostep.dma.spi.Topology;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A fabric that is no tree and knows nothing of PCI: edge switches of a CXL-like mesh, routed by the shortest way, with links that come and go. */
class OtherFabricTest {
  /** Devices hang on switches, switches are linked at will; a switch may have a decoder that keeps peers apart, and a port to a host. */
  private static final class Mesh implements Topology {
    private final Map<String, FabricNode> switches = new LinkedHashMap<>();
    private final Map<String, List<String>> links = new HashMap<>();
    private final Map<DeviceSlot, String> places = new LinkedHashMap<>();
    private final FabricNode host = new FabricNode("cxl host 0", Role.HOST_BRIDGE, "acme mesh root", "", null);
    private long generation = 1;

    void edge(String name, String redirect) {
      generation++;
      switches.put(name, new FabricNode(name, Role.PORT, "acme edge switch", redirect, host));
      links.computeIfAbsent(name, n -> new ArrayList<>());
    }

    void link(String a, String b) {
      generation++;
      Objects.requireNonNull(links.get(a)).add(b);
      Objects.requireNonNull(links.get(b)).add(a);
    }

    void cut(String a, String b) {
      generation++;
      Objects.requireNonNull(links.get(a)).remove(b);
      Objects.requireNonNull(links.get(b)).remove(a);
    }

    void place(DeviceSlot device, String edge) {
      generation++;
      places.put(device, edge);
    }

    @Override
    public String fabric() {
      return "cxl";
    }

    @Override
    public long generation() {
      return generation;
    }

    @Override
    public List<FabricNode> nodes() {
      List<FabricNode> all = new ArrayList<>(List.of(host));
      all.addAll(switches.values());
      return all;
    }

    @Override
    public @Nullable FabricNode node(DeviceSlot device) {
      String place = places.get(device);
      return place == null ? null : new FabricNode("device " + device.address(), Role.DEVICE, "", "", switches.get(place));
    }

    @Override
    public @Nullable PeerRoute route(DeviceSlot importer, DeviceSlot provider) {
      FabricNode from = node(importer);
      FabricNode to = node(provider);
      if (from == null || to == null) {
        return null;
      }
      List<String> way = way(Objects.requireNonNull(places.get(importer)), Objects.requireNonNull(places.get(provider)));
      if (way.isEmpty()) {
        return null;
      }
      List<FabricNode> hops = new ArrayList<>(List.of(from));
      way.forEach(name -> hops.add(Objects.requireNonNull(switches.get(name))));
      hops.add(to);
      return new PeerRoute(hops, host, host);
    }

    private List<String> way(String from, String to) {
      Map<String, String> cameFrom = new HashMap<>(Map.of(from, from));
      Deque<String> open = new ArrayDeque<>(List.of(from));
      while (!open.isEmpty()) {
        String at = open.remove();
        for (String next : Objects.requireNonNull(links.get(at))) {
          if (cameFrom.putIfAbsent(next, at) == null) {
            open.add(next);
          }
        }
      }
      List<String> way = new ArrayList<>();
      for (String at = cameFrom.containsKey(to) ? to : null; at != null; at = at.equals(from) ? null : cameFrom.get(at)) {
        way.add(at);
      }
      Collections.reverse(way);
      return way;
    }
  }

  /** The model's memory and devices under another fabric. Below, one switch carries bus addresses, so that bytes really move. */
  private record MeshMachine(ModelMachine below, Mesh mesh) implements Machine {
    @Override
    public String name() {
      return "mesh";
    }

    @Override
    public PhysicalMemory memory() {
      return below.memory();
    }

    @Override
    public List<DeviceSlot> slots() {
      return below.slots();
    }

    @Override
    public AddressSpace addressSpaceFor(DeviceSlot slot) {
      return below.addressSpaceFor(slot);
    }

    @Override
    public Topology topology() {
      return mesh;
    }

    @Override
    public Timers timers() {
      return below.timers();
    }

    @Override
    public void close() {
      below.close();
    }
  }

  private final Mesh mesh = new Mesh();
  private final MeshMachine machine =
      new MeshMachine(ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "4M", "tree", Rig.TREE))), mesh);

  @Test
  void peersOfAMeshAreReachedByTheSameRules() {
    ProbeDevice device = ProbeDevice.withMemory(Rig.PEER_BYTES);
    ProbeDevice expander = ProbeDevice.withMemory(Rig.PEER_BYTES);
    SlotOptions options = SlotOptions.DEFAULT.withTranslation(Translation.NONE);
    DeviceSlot importer = machine.below.plug(new DeviceAddress("0000:03:00.0"), device, options);
    DeviceSlot provider = machine.below.plug(new DeviceAddress("0000:04:00.0"), expander, options);
    importer.busMaster(true);
    for (String edge : List.of("e0", "e1", "e2", "e3")) {
      mesh.edge(edge, "");
    }
    mesh.link("e0", "e1");
    mesh.link("e1", "e2");
    mesh.link("e2", "e3");
    mesh.link("e3", "e0");
    mesh.place(importer, "e0");
    mesh.place(provider, "e2");
    P2pBackend p2p = new P2pBackend(P2pConfig.defaults());
    try (machine;
        DmaMapper mapper = DmaStack.of(new DirectBackend(), p2p).attach(machine, importer, DeviceLimits.UNLIMITED);
        PeerMemory memory = PeerMemory.publish(machine, provider, ProbeDevice.MEMORY_BAR, 0, Rig.PEER_BYTES);
        var block = machine.memory().allocate(8192, MemoryPlacement.CONTIGUOUS);
        var transfer = mapper.newTransfer()) {
      PeerPath path = p2p.path(machine, importer, provider);
      assertThat(path.type()).isEqualTo(PeerMapType.BUS_ADDRESS);
      assertThat(path.distance()).isEqualTo(4);
      assertThat(path.hops()).hasSize(5).startsWith("device 0000:03:00.0", "e0");
      Entries entries = new Entries();
      transfer.map(TestRanges.of(block.phys(0), 4096, memory.phys(), 4096, block.phys(4096), 4096), BIDIRECTIONAL, NONE, entries);
      assertThat(entries.kinds()).containsExactly(RangeKind.LOCAL, RangeKind.BUS_PEER, RangeKind.LOCAL);
      assertThat(device.tryWrite(entries.address(1), Rig.pattern(64, 3))).isTrue();
      assertThat(expander.memory(0, 64)).isEqualTo(Rig.pattern(64, 3));
      transfer.unmap();

      mesh.cut("e0", "e1");
      assertThat(p2p.path(machine, importer, provider).hops()).as("the other way round").contains("e3").doesNotContain("e1");
      mesh.edge("e3", "a decoder that keeps hosts apart");
      assertThatThrownBy(() -> mapper.map(memory.phys(), 64, BIDIRECTIONAL, NONE))
          .isInstanceOf(DmaMappingException.class)
          .hasMessageContaining("e3 sends peers' requests up by a decoder that keeps hosts apart")
          .hasMessageContaining("acme mesh root");
      P2pBackend believing = new P2pBackend(new P2pConfig("acme mesh root"));
      assertThat(believing.path(machine, importer, provider).type()).isEqualTo(PeerMapType.THROUGH_HOST_BRIDGE);
      try (DmaMapper through = DmaStack.of(new DirectBackend(), believing).attach(machine, importer, DeviceLimits.UNLIMITED);
          DmaMapping mapping = through.map(memory.phys(), 64, BIDIRECTIONAL, NONE)) {
        assertThat(mapping.dmaAddress()).isEqualTo(memory.phys());
        assertThat(device.tryWrite(mapping.dmaAddress(), Rig.pattern(64, 4))).isTrue();
        assertThat(expander.memory(0, 64)).isEqualTo(Rig.pattern(64, 4));
      }
      mesh.cut("e3", "e0");
      assertThat(believing.path(machine, importer, provider).reason()).contains("no route");
      assertThat(believing.path(machine, importer, provider).type()).isEqualTo(PeerMapType.NOT_SUPPORTED);
    }
  }
}
