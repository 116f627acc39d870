package io.twostep.dma.spi;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How the devices of a machine reach each other, whatever the fabric: a PCI tree, a CXL fabric, an interconnect of a system on a chip.
 *
 * <p>States facts and decides nothing: whether peers may use a route, and by which kind of address, is the p2p layer's business. What is asked may be
 * remembered until {@link #generation} changes. Thread-safe.
 */
public interface Topology {
  /** The topology of a machine that knows no routes between its devices. */
  Topology NONE = new NoTopology();

  /** Return the fabric's name for messages, such as {@code pci}. */
  String fabric();

  /**
   * Return a number that grows with every change of what the other methods may answer: a device plugged or pulled out, a redirect set or cleared.
   *
   * <p>It changes before the hardware behaves in the new way, or while nothing can travel the route. Cheap: asked on every request with peer memory.
   */
  long generation();

  /** Return every node, each after the one above it; for people to look at. */
  List<FabricNode> nodes();

  /** Return the node of a device, null if the device is not on this fabric. */
  @Nullable FabricNode node(DeviceSlot device);

  /** Return the way requests take from one device to another, null if there is none; a device reaches itself in no hop. */
  @Nullable PeerRoute route(DeviceSlot importer, DeviceSlot provider);

  /** The absence of knowledge. */
  final class NoTopology implements Topology {
    private NoTopology() {}

    @Override
    public String fabric() {
      return "none";
    }

    @Override
    public long generation() {
      return 0;
    }

    @Override
    public List<FabricNode> nodes() {
      return List.of();
    }

    @Override
    public @Nullable FabricNode node(DeviceSlot device) {
      return null;
    }

    @Override
    public @Nullable PeerRoute route(DeviceSlot importer, DeviceSlot provider) {
      return null;
    }
  }
}
