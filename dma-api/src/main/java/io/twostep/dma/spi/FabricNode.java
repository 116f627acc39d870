package io.twostep.dma.spi;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One node of a fabric as it stands at one {@linkplain Topology#generation() generation}: a device, a port, or a host bridge. Immutable.
 *
 * @param name the node's name for messages, such as its PCI address
 * @param role what it is to traffic that passes
 * @param model what the node is, in its fabric's own terms: {@code vendor:device} in hexadecimal on PCI; what lists of known host bridges go by
 * @param redirect why requests of peers that meet this node are sent up to the host bridge, in words; empty if it lets them pass
 * @param uplink the node above, null for one that has none
 */
public record FabricNode(String name, Role role, String model, String redirect, @Nullable FabricNode uplink) {
  /** What a node is to traffic that passes. */
  public enum Role {
    /** A device's own place: where routes begin and end. */
    DEVICE,
    /** A port of a switch or of a root complex. */
    PORT,
    /** Where the fabric meets memory, the CPU and the IOMMU. */
    HOST_BRIDGE
  }

  /** Check that name and role are there. */
  public FabricNode {
    Objects.requireNonNull(role, "role");
    Objects.requireNonNull(model, "model");
    Objects.requireNonNull(redirect, "redirect");
    if (name.isBlank()) {
      throw new IllegalArgumentException("a fabric node needs a name");
    }
  }

  /** Tell whether requests of peers that meet this node are sent up to the host bridge. */
  public boolean redirects() {
    return !redirect.isEmpty();
  }

  /** Return the number of links above this node. */
  public int depth() {
    int depth = 0;
    for (FabricNode at = uplink; at != null; at = at.uplink) {
      depth++;
    }
    return depth;
  }
}
