package io.twostep.dma.spi;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The way requests take from one device to another if nothing redirects them. Immutable.
 *
 * @param hops the nodes from the importing device to the provider, both included; one node where they are one device
 * @param importerBridge the host bridge above the importing device, null if there is none
 * @param providerBridge the host bridge above the provider, null if there is none
 */
public record PeerRoute(List<FabricNode> hops, @Nullable FabricNode importerBridge, @Nullable FabricNode providerBridge) {
  /**
   * Take a copy of the hops.
   *
   * @throws IllegalArgumentException if there are none
   */
  public PeerRoute {
    hops = List.copyOf(hops);
    if (hops.isEmpty()) {
      throw new IllegalArgumentException("a route has at least one hop: the device itself");
    }
  }

  /**
   * Return the shortest way between two nodes of a tree: up to the lowest node that is above both, and down again; over both tops where no node is.
   *
   * <p>A top that is a host bridge is the host bridge of its side.
   */
  public static PeerRoute between(FabricNode importer, FabricNode provider) {
    List<FabricNode> up = upFrom(importer);
    List<FabricNode> down = upFrom(provider);
    List<FabricNode> hops = new ArrayList<>();
    int turn = 0;
    while (turn < up.size() && !down.contains(up.get(turn))) {
      hops.add(up.get(turn++));
    }
    hops.addAll((turn < up.size() ? down.subList(0, down.indexOf(up.get(turn)) + 1) : down).reversed());
    return new PeerRoute(hops, hostBridge(up.getLast()), hostBridge(down.getLast()));
  }

  private static List<FabricNode> upFrom(FabricNode node) {
    List<FabricNode> chain = new ArrayList<>();
    for (FabricNode at = node; at != null; at = at.uplink()) {
      chain.add(at);
    }
    return chain;
  }

  private static @Nullable FabricNode hostBridge(FabricNode top) {
    return top.role() == FabricNode.Role.HOST_BRIDGE ? top : null;
  }

  /** Return the links that requests cross. */
  public int distance() {
    return hops.size() - 1;
  }

  /** Tell whether the route itself passes a host bridge. */
  public boolean passesHostBridge() {
    for (FabricNode hop : hops) {
      if (hop.role() == FabricNode.Role.HOST_BRIDGE) {
        return true;
      }
    }
    return false;
  }

  /** Return the first node on the way that sends peers' requests up to the host bridge, null if none does. */
  public @Nullable FabricNode firstRedirect() {
    for (FabricNode hop : hops) {
      if (hop.redirects()) {
        return hop;
      }
    }
    return null;
  }
}
