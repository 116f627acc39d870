package io.twostep.dma.spi;

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
