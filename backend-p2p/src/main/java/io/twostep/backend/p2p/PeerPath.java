package io.twostep.backend.p2p;

import io.twostep.dma.spi.PeerMapType;
import java.util.List;

/**
 * How one device reaches the memory of another, and why so.
 *
 * @param type the kind of address that leads there
 * @param distance links that requests cross if nothing redirects them; -1 if there is no route
 * @param hops names of the nodes that requests pass, importing device first: up to the host bridges and down again where they are redirected, else the shortest way, which also is what stands here where the
 *     memory cannot be reached; empty if there is no route
 * @param reason what decided, in words
 */
public record PeerPath(PeerMapType type, int distance, List<String> hops, String reason) {
  /** Take a copy of the hops. */
  public PeerPath {
    hops = List.copyOf(hops);
  }

  /** Tell whether there is an address that leads there. */
  public boolean isReachable() {
    return type != PeerMapType.NOT_SUPPORTED;
  }
}
