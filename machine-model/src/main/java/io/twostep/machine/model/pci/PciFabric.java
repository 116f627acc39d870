package io.twostep.machine.model.pci;

import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.FabricNode;
import io.twostep.dma.spi.PeerRoute;
import io.twostep.dma.spi.Topology;
import io.twostep.machine.model.pci.PciPort.Forward;
import io.twostep.machine.model.pci.PciPort.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The tree of a machine: what software may know of it, and how it carries requests between devices.
 *
 * <p>The two are apart: {@link #route} states the tree, {@link #carries} and {@link #forwards} are what the hardware does, bit by bit as the ports are set.
 */
public final class PciFabric implements Topology {
  private final List<PciPort> ports;
  private final CopyOnWriteArrayList<ModelSlot> slots = new CopyOnWriteArrayList<>();
  private final AtomicLong generation = new AtomicLong(1);

  /**
   * Create a fabric.
   *
   * @throws IllegalArgumentException as {@link PciTree#parse} does
   */
  public PciFabric(String tree) {
    ports = PciTree.parse(tree);
  }

  @Override
  public String fabric() {
    return "pci";
  }

  @Override
  public long generation() {
    return generation.get();
  }

  /** Return the port whose bus a device is on. */
  PciPort above(PciAddress place) {
    String name = "%04x:%02x:%02x.%x".formatted(place.domain(), place.bus(), place.device(), place.function());
    PciPort nearest = null;
    for (PciPort port : ports) {
      if (port.name.equals(name)) {
        throw new IllegalArgumentException(name + " is a port of the tree; plug the device on the bus below it or at a free address");
      }
      if (port.holds(place.domain(), place.bus()) && (nearest == null || port.depth() > nearest.depth())) {
        nearest = port;
      }
    }
    if (nearest == null || nearest.firstBus != place.bus() || nearest.kind == Kind.UPSTREAM_PORT) {
      throw new IllegalArgumentException(
          "%s: no host bridge, root port or downstream port of the tree has bus %02x just below it; plug the device where one has".formatted(name, place.bus()));
    }
    return nearest;
  }

  /**
   * Return the name of the group of a device: the smallest part of the tree whose devices can reach each other past translation.
   *
   * <p>A switch with a downstream port that does not isolate is one group with all below it, since that port's devices reach the others. So is what shares a bus below a port; on a host bridge's bus, which
   * carries nothing between devices, the functions of one device are one group.
   */
  public String group(DeviceAddress address) {
    PciAddress place = PciAddress.of(address);
    PciPort above = above(place);
    String bus = "%04x:%02x".formatted(place.domain(), place.bus());
    String group = above.kind == Kind.HOST_BRIDGE ? "%s:%02x".formatted(bus, place.device()) : bus;
    for (PciPort port = above; port != null; port = port.parent) {
      if (port.kind == Kind.UPSTREAM_PORT && !isolatesAll(port)) {
        group = port.name;
      }
    }
    return group;
  }

  private boolean isolatesAll(PciPort upstream) {
    for (PciPort port : ports) {
      if (port.parent == upstream && !port.isolates()) {
        return false;
      }
    }
    return true;
  }

  /**
   * Set the access control of a root or downstream port, as software does; what devices were grouped by stays as it was when they were plugged.
   *
   * @param bits {@link AccessControl}
   */
  public void accessControl(DeviceAddress address, int bits) {
    for (PciPort port : ports) {
      if (port.name.equals(address.text()) && port.kind != Kind.HOST_BRIDGE && port.kind != Kind.UPSTREAM_PORT) {
        port.accessControl = bits;
        generation.incrementAndGet();
        return;
      }
    }
    throw new IllegalArgumentException(address + ": the tree has no root or downstream port there");
  }

  void join(ModelSlot slot) {
    slots.add(slot);
    generation.incrementAndGet();
  }

  void leave(ModelSlot slot) {
    slots.remove(slot);
    generation.incrementAndGet();
  }

  @Override
  public List<FabricNode> nodes() {
    List<FabricNode> nodes = new ArrayList<>();
    for (PciPort port : ports) {
      nodes.add(nodeOf(port));
    }
    for (ModelSlot slot : slots) {
      nodes.add(nodeOf(slot));
    }
    return nodes;
  }

  @Override
  public @Nullable FabricNode node(DeviceSlot device) {
    return device instanceof ModelSlot slot && slots.contains(slot) ? nodeOf(slot) : null;
  }

  private FabricNode nodeOf(ModelSlot slot) {
    String model = "%04x:%04x".formatted(slot.deviceId() & 0xffff, slot.deviceId() >>> 16);
    return new FabricNode(slot.address().text(), FabricNode.Role.DEVICE, model, "", nodeOf(slot.port()));
  }

  private static FabricNode nodeOf(PciPort port) {
    PciPort above = port.parent;
    return new FabricNode(
        port.name,
        above == null ? FabricNode.Role.HOST_BRIDGE : FabricNode.Role.PORT,
        port.model,
        AccessControl.redirects(port.accessControl),
        above == null ? null : nodeOf(above));
  }

  @Override
  public @Nullable PeerRoute route(DeviceSlot importer, DeviceSlot provider) {
    FabricNode from = node(importer);
    FabricNode to = node(provider);
    return from == null || to == null ? null : PeerRoute.between(from, to);
  }

  /** Return the function whose BAR decodes a bus address, null if none does. */
  @Nullable ModelSlot atBusAddress(long busAddress) {
    for (ModelSlot slot : slots) {
      if (slot.barAtBusAddress(busAddress) >= 0) {
        return slot;
      }
    }
    return null;
  }

  /** Return the function whose BAR decodes a physical address, null if none does. */
  @Nullable ModelSlot atPhys(long phys) {
    for (ModelSlot slot : slots) {
      if (slot.barAtPhys(phys) >= 0) {
        return slot;
      }
    }
    return null;
  }

  /** Tell whether the fabric carries a request with another function's bus address there, without host bridge and translation. */
  boolean carries(ModelSlot importer, ModelSlot target, boolean write) {
    if (importer.port() == target.port()) {
      return importer.port().kind != Kind.HOST_BRIDGE;
    }
    PciPort ingress = importer.port();
    while (ingress.parent != null && !isAbove(ingress.parent, target.port())) {
      ingress = ingress.parent;
    }
    PciPort turn = ingress.parent;
    if (turn == null || turn.kind == Kind.HOST_BRIDGE) {
      return false;
    }
    if ((ingress.accessControl & (AccessControl.REQUEST_REDIRECT | AccessControl.EGRESS_CONTROL)) != 0) {
      return false;
    }
    PciPort egress = target.port();
    while (egress.parent != null && egress.parent != turn) {
      egress = egress.parent;
    }
    boolean completionGoesUp = !write && (egress.accessControl & AccessControl.COMPLETION_REDIRECT) != 0;
    return !completionGoesUp || turn.hostBridge().forward != Forward.NONE;
  }

  private static boolean isAbove(PciPort port, PciPort other) {
    for (PciPort at = other; at != null; at = at.parent) {
      if (at == port) {
        return true;
      }
    }
    return false;
  }

  /** Tell whether the host bridges pass a request on to a peer. */
  boolean forwards(ModelSlot importer, ModelSlot target) {
    PciPort from = importer.port().hostBridge();
    PciPort to = target.port().hostBridge();
    return from == to ? from.forward != Forward.NONE : from.forward == Forward.ANY && to.forward == Forward.ANY;
  }
}
