package io.twostep.backend.p2p;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.FabricNode;
import io.twostep.dma.spi.FabricNode.Role;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.PeerMapType;
import io.twostep.dma.spi.PeerRoute;
import io.twostep.dma.spi.Topology;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.tck.ProbeDevice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The judgement of routes: one by one, and on random trees against an oracle that knows only sets of ports. */
class PeerRulesTest {
  private final PeerRules rules = new PeerRules(HostBridgeList.of(HostBridgeList.KNOWN));

  private static FabricNode bridge(String name, String model) {
    return new FabricNode(name, Role.HOST_BRIDGE, model, "", null);
  }

  private static FabricNode node(String name, @Nullable FabricNode uplink) {
    return new FabricNode(name, Role.DEVICE, "", "", uplink);
  }

  /** The route between devices directly below two host bridges, which may be one. */
  private static PeerRoute between(FabricNode first, FabricNode second) {
    List<FabricNode> hops = new ArrayList<>(new LinkedHashSet<>(List.of(node("a", first), first, second, node("b", second))));
    return new PeerRoute(hops, first, second);
  }

  @ParameterizedTest
  @CsvSource({
    "8086:3c00, true, THROUGH_HOST_BRIDGE",
    "8086:3c00, false, NOT_SUPPORTED",
    "8086:2f01, true, THROUGH_HOST_BRIDGE",
    "8086:2020, false, THROUGH_HOST_BRIDGE",
    "8086:09a2, false, THROUGH_HOST_BRIDGE",
    "1022:1480, false, THROUGH_HOST_BRIDGE",
    "1ae0:1234, false, THROUGH_HOST_BRIDGE",
    "8086:1234, true, NOT_SUPPORTED",
    "cxl root, true, NOT_SUPPORTED"
  })
  void hostBridgesForwardAsTheListSays(String model, boolean same, PeerMapType expected) {
    FabricNode first = bridge("h0", model);
    assertThat(rules.judge(between(first, same ? first : bridge("h1", model)), false).type()).isEqualTo(expected);
  }

  @Test
  void bothHostBridgesMustForward() {
    FabricNode known = bridge("h0", "8086:2020");
    FabricNode unknown = bridge("h1", "dead:beef");
    assertThat(rules.judge(between(known, unknown), false).reason()).contains("h1 (dead:beef) is not known to forward to other host bridges");
    assertThat(rules.judge(between(unknown, known), false).type()).isEqualTo(PeerMapType.NOT_SUPPORTED);
    assertThat(rules.judge(between(known, bridge("h1", "8086:3c00")), false).type()).isEqualTo(PeerMapType.NOT_SUPPORTED);
  }

  @Test
  void settingsAddToTheListOrReplaceIt() {
    assertThat(HostBridgeList.of("").size()).isZero();
    assertThat(HostBridgeList.of("known").size()).isGreaterThan(15);
    HostBridgeList mine = HostBridgeList.of("dead:*=same, cxl root");
    assertThat(mine.forwards("dead:beef", true)).isTrue();
    assertThat(mine.forwards("dead:beef", false)).isFalse();
    assertThat(mine.forwards("cxl root", false)).isTrue();
    assertThat(mine.forwards("8086:2020", true)).isFalse();
    assertThat(HostBridgeList.of("known,dead:beef").forwards("8086:2020", false)).isTrue();
    assertThatThrownBy(() -> new P2pConfig("8086:2020=some")).hasMessageContaining("=any or =same");
    assertThat(HostBridgeList.of(" 8086:2020 = any ").forwards("8086:2020", false)).isTrue();
    assertThatThrownBy(() -> new P2pConfig("known, =any")).hasMessageContaining("names no model");
  }

  @ParameterizedTest
  @ValueSource(strings = {"CXL Root", "ACME:Mesh-7", "DEAD:BEEF"})
  void theModelThatARefusalNamesIsKnownOnceItIsSet(String model) {
    FabricNode host = bridge("h0", model);
    assertThat(rules.judge(between(host, host), false).reason()).contains("h0 (" + model + ") is not known to forward");
    for (String setting : new String[] {model, "known, " + model + "=same", model.replaceAll(":.*", ":*")}) {
      assertThat(new PeerRules(HostBridgeList.of(setting)).judge(between(host, host), false).type()).as(setting).isEqualTo(PeerMapType.THROUGH_HOST_BRIDGE);
    }
  }

  @Test
  void noRouteOrNoHostBridgeIsNoWay() {
    assertThat(rules.judge(null, false).type()).isEqualTo(PeerMapType.NOT_SUPPORTED);
    FabricNode port = new FabricNode("port", Role.PORT, "", "a rule", null);
    PeerRoute redirected = new PeerRoute(List.of(node("a", port), port, node("b", port)), null, null);
    PeerPath path = rules.judge(redirected, false);
    assertThat(path.type()).isEqualTo(PeerMapType.NOT_SUPPORTED);
    assertThat(path.reason()).isEqualTo("port sends peers' requests up by a rule, and there is no host bridge to go through");
  }

  @Test
  void noDeviceGoesThroughTheFabricToItself() {
    FabricNode host = bridge("h0", "dead:beef");
    FabricNode self = new FabricNode("a", FabricNode.Role.DEVICE, "", "rr", host);
    PeerRoute own = new PeerRoute(List.of(self), host, host);
    for (boolean untrusted : new boolean[] {false, true}) {
      assertThat(rules.judge(own, untrusted).type()).isEqualTo(PeerMapType.BUS_ADDRESS);
      assertThat(rules.judge(own, untrusted).reason()).isEqualTo("it is the device's own memory");
    }
  }

  /** One random machine: what its ports are, and where its devices are. */
  private static final class Tree {
    final StringBuilder text = new StringBuilder();
    final List<Integer> parentOf = new ArrayList<>();
    final List<String> kindOf = new ArrayList<>();
    final List<Boolean> redirects = new ArrayList<>();
    final List<String> modelOf = new ArrayList<>();
    final List<Integer> busOf = new ArrayList<>();
    private int nextBus;

    int add(String kind, int parent, String line, boolean redirecting, String model, int bus) {
      text.append(line).append('\n');
      parentOf.add(parent);
      kindOf.add(kind);
      redirects.add(redirecting);
      modelOf.add(model);
      busOf.add(bus);
      return parentOf.size() - 1;
    }

    Tree(Random random) {
      String[] models = {"8086:2020", "8086:3c00", "dead:beef", "1022:1480"};
      for (int h = 0; h < 1 + random.nextInt(3); h++) {
        int first = nextBus;
        nextBus++;
        String model = models[random.nextInt(models.length)];
        int at = text.length();
        int bridge = add("host", -1, "", false, model, first);
        for (int r = 0; r < 1 + random.nextInt(3); r++) {
          port(random, "root-port", bridge, first, r + 1, 0);
        }
        text.insert(at, "host-bridge %s bus=%02x-%02x\n".formatted(model, first, nextBus - 1));
      }
    }

    private void port(Random random, String kind, int parent, int bus, int device, int depth) {
      int own = nextBus;
      nextBus++;
      int services = random.nextInt(4) == 0 ? 1 + random.nextInt(63) : 0;
      boolean upstream = kind.equals("upstream-port");
      int at = text.length();
      int self = add(kind, parent, "", !upstream && (services & 0x2c) != 0, "", own);
      if (upstream) {
        for (int d = 0; d < 2 + random.nextInt(2); d++) {
          port(random, "downstream-port", self, own, d, depth + 1);
        }
      } else if (depth < 2 && random.nextInt(3) != 0) {
        port(random, "upstream-port", self, own, 0, depth + 1);
      }
      text.insert(at, "%s %02x:%02x.0 bus=%02x-%02x acs=%s\n".formatted(kind, bus, device, own, nextBus - 1, upstream ? "none" : words(services)));
    }

    private static String words(int services) {
      String[] names = {"sv", "tb", "rr", "cr", "uf", "ec"};
      List<String> words = new ArrayList<>();
      for (int i = 0; i < names.length; i++) {
        if ((services & 1 << i) != 0) {
          words.add(names[i]);
        }
      }
      return words.isEmpty() ? "none" : String.join("+", words);
    }

    /** The ports from a device's own to the host bridge. */
    Set<Integer> above(int port) {
      Set<Integer> all = new LinkedHashSet<>();
      for (int at = port; at >= 0; at = parentOf.get(at)) {
        all.add(at);
      }
      return all;
    }

    private static boolean forwards(String model, boolean same) {
      return switch (model) {
        case "8086:2020", "1022:1480" -> true;
        case "8086:3c00" -> same;
        default -> false;
      };
    }

    /** What the rules come to, from sets of ports alone. */
    PeerMapType expected(int from, int to) {
      Set<Integer> up = above(from);
      Set<Integer> down = above(to);
      int first = List.copyOf(up).getLast();
      int second = List.copyOf(down).getLast();
      Set<Integer> common = new LinkedHashSet<>(up);
      common.retainAll(down);
      Set<Integer> way = new LinkedHashSet<>(up);
      way.addAll(down);
      if (!common.isEmpty()) {
        Set<Integer> beyond = above(common.iterator().next());
        beyond.remove(common.iterator().next());
        way.removeAll(beyond);
      }
      boolean meets = !common.isEmpty() && !kindOf.get(common.iterator().next()).equals("host");
      if (meets && way.stream().noneMatch(redirects::get)) {
        return PeerMapType.BUS_ADDRESS;
      }
      boolean same = first == second;
      return forwards(modelOf.get(first), same) && forwards(modelOf.get(second), same) ? PeerMapType.THROUGH_HOST_BRIDGE : PeerMapType.NOT_SUPPORTED;
    }

    int distance(int from, int to) {
      Set<Integer> up = above(from);
      Set<Integer> down = above(to);
      Set<Integer> either = new LinkedHashSet<>(up);
      either.addAll(down);
      Set<Integer> common = new LinkedHashSet<>(up);
      common.retainAll(down);
      // Links from both devices to where they meet; with two host bridges there is one more between them.
      return either.size() - common.size() + 2 + (common.isEmpty() ? -1 : 0);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void randomTreesAreJudgedAsTheirPortsSay(long seed) {
    Seeds.run(seed, this::judgeATree);
  }

  /** A way is from node to node along links, and passes host bridges where it is said to. */
  private static void assertWay(Topology topology, PeerPath path, DeviceSlot from, DeviceSlot to, String what) {
    assertThat(path.hops()).as(what).startsWith(from.address().text()).endsWith(to.address().text());
    Map<String, FabricNode> nodes = new HashMap<>();
    topology.nodes().forEach(node -> nodes.put(node.name(), node));
    int bridges = 0;
    for (int i = 0; i < path.hops().size(); i++) {
      FabricNode node = nodes.get(path.hops().get(i));
      bridges += node.role() == Role.HOST_BRIDGE ? 1 : 0;
      if (i != 0) {
        FabricNode before = nodes.get(path.hops().get(i - 1));
        assertThat(isAbove(before, node) || isAbove(node, before) || (before.role() == Role.HOST_BRIDGE && node.role() == Role.HOST_BRIDGE))
            .as("%s to %s on %s of %s", before.name(), node.name(), path, what)
            .isTrue();
      }
    }
    if (path.isReachable()) {
      assertThat(bridges != 0).as(what).isEqualTo(path.type() == PeerMapType.THROUGH_HOST_BRIDGE);
    }
  }

  private static boolean isAbove(FabricNode node, FabricNode other) {
    FabricNode uplink = other.uplink();
    return uplink != null && uplink.name().equals(node.name());
  }

  @Test
  void theWayOfWhatIsSentUpPassesTheHostBridgeAlsoWhereNoLinksLeadThere() {
    FabricNode host = bridge("h0", "8086:2020");
    FabricNode root = new FabricNode("root", Role.PORT, "", "", host);
    FabricNode port = new FabricNode("port", Role.PORT, "", "a rule", root);
    PeerRoute redirected = new PeerRoute(List.of(node("a", port), port, node("b", port)), host, host);
    assertThat(rules.judge(redirected, false).hops()).containsExactly("a", "port", "root", "h0", "root", "port", "b");
    PeerRoute mesh = new PeerRoute(List.of(node("a", null), new FabricNode("e", Role.PORT, "", "a rule", null), node("b", null)), host, bridge("h1", "8086:2020"));
    assertThat(rules.judge(mesh, false).hops()).containsExactly("a", "h0", "h1", "b");
  }

  private void judgeATree(Random random) {
    Tree tree = new Tree(random);
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "4M", "tree", tree.text.toString())))) {
      List<DeviceSlot> slots = new ArrayList<>();
      List<Integer> ports = new ArrayList<>();
      for (int port = 0; port < tree.parentOf.size(); port++) {
        int self = port;
        boolean leaf = !tree.parentOf.contains(self) && !tree.kindOf.get(port).equals("upstream-port");
        if (leaf) {
          for (int function = 0; function < 1 + random.nextInt(2); function++) {
            DeviceAddress address = new DeviceAddress("0000:%02x:00.%d".formatted(tree.busOf.get(port), function));
            slots.add(machine.plug(address, ProbeDevice.withMemory(Rig.PEER_BYTES), SlotOptions.DEFAULT));
            ports.add(port);
          }
        }
      }
      Topology topology = machine.topology();
      for (int i = 0; i < slots.size(); i++) {
        for (int j = 0; j < slots.size(); j++) {
          PeerPath path = rules.judge(topology.route(slots.get(i), slots.get(j)), false);
          PeerPath back = rules.judge(topology.route(slots.get(j), slots.get(i)), false);
          String what = slots.get(i) + " to " + slots.get(j) + " in\n" + tree.text;
          assertThat(path.type()).as(what).isEqualTo(i == j ? PeerMapType.BUS_ADDRESS : tree.expected(ports.get(i), ports.get(j)));
          assertThat(path.distance()).as(what).isEqualTo(i == j ? 0 : tree.distance(ports.get(i), ports.get(j)));
          assertWay(topology, path, slots.get(i), slots.get(j), what);
          assertThat(back.type()).as("the other way: %s", what).isEqualTo(path.type());
          assertThat(back.distance()).isEqualTo(path.distance());
        }
      }
    }
  }
}
