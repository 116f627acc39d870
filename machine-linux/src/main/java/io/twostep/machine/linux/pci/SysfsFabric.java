package io.twostep.machine.linux.pci;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.FabricNode;
import io.twostep.dma.spi.PeerRoute;
import io.twostep.dma.spi.Topology;
import io.twostep.machine.linux.HostPaths;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The PCI tree of this computer as sysfs tells it. It is read whole whenever a device is opened, and not in between: what an administrator changes by hand is noticed then.
 *
 * <p>Routes are those between devices that were opened; all of the tree is there to look at.
 */
public final class SysfsFabric implements Topology {
  private final HostPaths paths;
  private final Set<DeviceSlot> devices = ConcurrentHashMap.newKeySet();
  private volatile Reading reading = new Reading(0, Map.of());

  /** The tree as it was at one generation. */
  private record Reading(long generation, Map<String, FabricNode> nodes) {}

  /** Know of no device yet, and read nothing. */
  public SysfsFabric(HostPaths paths) {
    this.paths = paths;
  }

  /** Let a device that was opened be reached, and read the tree. */
  public synchronized void join(DeviceSlot device) {
    devices.add(device);
    reading = new Reading(reading.generation + 1, FabricReader.read(paths));
  }

  @Override
  public String fabric() {
    return "pci";
  }

  @Override
  public long generation() {
    return reading.generation;
  }

  @Override
  public List<FabricNode> nodes() {
    return List.copyOf(reading.nodes.values());
  }

  @Override
  public @Nullable FabricNode node(DeviceSlot device) {
    return devices.contains(device) ? reading.nodes.get(device.address().text()) : null;
  }

  @Override
  public @Nullable PeerRoute route(DeviceSlot importer, DeviceSlot provider) {
    FabricNode from = node(importer);
    FabricNode to = node(provider);
    return from == null || to == null ? null : PeerRoute.between(from, to);
  }
}
