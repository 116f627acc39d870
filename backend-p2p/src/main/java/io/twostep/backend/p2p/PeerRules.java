package io.twostep.backend.p2p;

import io.twostep.dma.spi.FabricNode;
import io.twostep.dma.spi.PeerMapType;
import io.twostep.dma.spi.PeerRoute;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Judges a route: by bus address where nothing sends requests up to the host bridge, through host bridges that are known to forward, or not at all.
 *
 * <p>Knows no machine and remembers nothing. One node that redirects, anywhere on the way, redirects all: requests, or what answers them.
 */
final class PeerRules {
  private final HostBridgeList bridges;

  PeerRules(HostBridgeList bridges) {
    this.bridges = bridges;
  }

  /**
   * Judge a route.
   *
   * @param route null if there is none
   * @param untrusted whether the importing device gets translation or nothing
   */
  PeerPath judge(@Nullable PeerRoute route, boolean untrusted) {
    if (route == null) {
      return new PeerPath(PeerMapType.NOT_SUPPORTED, -1, List.of(), "the topology knows no route between the two");
    }
    List<String> hops = route.hops().stream().map(FabricNode::name).toList();
    if (route.distance() == 0) {
      // Neither trust nor redirection matters: no request leaves the device, and none that did would come back.
      return new PeerPath(PeerMapType.BUS_ADDRESS, 0, hops, "it is the device's own memory");
    }
    String upward = whyUpward(route, untrusted);
    if (upward.isEmpty()) {
      return new PeerPath(PeerMapType.BUS_ADDRESS, route.distance(), hops, whyDirect(route));
    }
    FabricNode from = route.importerBridge();
    FabricNode to = route.providerBridge();
    if (from == null || to == null) {
      return new PeerPath(PeerMapType.NOT_SUPPORTED, route.distance(), hops, upward + ", and there is no host bridge to go through");
    }
    boolean same = from.name().equals(to.name());
    String refuses = forwards(from, same) ? forwards(to, same) ? "" : text(to) : text(from);
    if (refuses.isEmpty()) {
      return new PeerPath(
          PeerMapType.THROUGH_HOST_BRIDGE,
          route.distance(),
          throughBridges(route, from, to),
          upward + ", and " + (same ? "host bridge " + text(from) + " forwards" : "host bridges " + text(from) + " and " + text(to) + " forward"));
    }
    return new PeerPath(
        PeerMapType.NOT_SUPPORTED,
        route.distance(),
        hops,
        upward
            + ", and host bridge "
            + refuses
            + " is not known to forward "
            + (same ? "between its devices" : "to other host bridges")
            + "; name it in setting host-bridges of p2p if it does");
  }

  /** Returns the way of requests that go up to the host bridge of the one and down from that of the other. */
  private static List<String> throughBridges(PeerRoute route, FabricNode from, FabricNode to) {
    List<String> way = upTo(from, route.hops().getFirst());
    List<String> down = upTo(to, route.hops().getLast()).reversed();
    way.addAll(from.name().equals(to.name()) ? down.subList(1, down.size()) : down);
    return way;
  }

  /** Returns the nodes from a device to the host bridge above it, as far as they are known. */
  private static List<String> upTo(FabricNode bridge, FabricNode device) {
    List<String> way = new ArrayList<>();
    for (FabricNode at = device; at != null && !at.name().equals(bridge.name()); at = at.uplink()) {
      way.add(at.name());
    }
    way.add(bridge.name());
    return way;
  }

  private boolean forwards(FabricNode bridge, boolean same) {
    return bridges.forwards(bridge.model(), same);
  }

  private static String text(FabricNode bridge) {
    return bridge.name() + " (" + bridge.model() + ")";
  }

  /** Say why requests go up to the host bridge; empty if they do not. */
  private static String whyUpward(PeerRoute route, boolean untrusted) {
    FabricNode redirect = route.firstRedirect();
    if (redirect != null) {
      return redirect.name() + " sends peers' requests up by " + redirect.redirect();
    }
    if (route.passesHostBridge()) {
      return "the two meet at no switch";
    }
    return untrusted ? "the importing device, or one it shares an address space with, is untrusted and gets translated addresses only" : "";
  }

  private static String whyDirect(PeerRoute route) {
    FabricNode turn = route.hops().stream().min(Comparator.comparingInt(FabricNode::depth)).orElseThrow();
    return "both are below " + turn.name() + " and nothing on the way sends requests up";
  }
}
