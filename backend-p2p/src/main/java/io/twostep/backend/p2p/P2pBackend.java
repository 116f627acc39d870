package io.twostep.backend.p2p;

import io.twostep.dma.PeerMemory;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.OpenState;
import io.twostep.dma.spi.Topology;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Let devices reach each other's published memory, each by the shortest way that hardware and trust allow.
 *
 * <p>Any fabric whose {@link Topology} a machine offers is served alike. Thread-safe.
 */
public final class P2pBackend implements LayerBackend {
  static final String NAME = "p2p";

  private final P2pConfig config;
  private final PeerRules rules;
  private final OpenState open = new OpenState();

  /** Of the topologies that an attached device is part of. */
  private final Map<Topology, PathCache> caches = new ConcurrentHashMap<>();

  private final LongAdder judged = new LongAdder();
  private final LongAdder busMappings = new LongAdder();
  private final LongAdder refused = new LongAdder();

  /** Create a layer without devices. */
  public P2pBackend(P2pConfig config) {
    this.config = config;
    this.rules = new PeerRules(HostBridgeList.of(config.hostBridges()));
  }

  @Override
  public String name() {
    return NAME;
  }

  /** Return what the layer believes. */
  public P2pConfig config() {
    return config;
  }

  /**
   * Attach a device above {@code next}.
   *
   * @return {@code next} itself on a machine that knows no routes between its devices
   * @throws IllegalStateException if the layer is closed
   */
  @Override
  public DmaOps attach(AttachContext context, DmaOps next) {
    Topology topology = context.machine().topology();
    synchronized (open) {
      open.requireOpen(this, context);
      if (topology == Topology.NONE) {
        return next;
      }
      return new P2pOps(next, context, join(topology), busMappings, refused, () -> leave(topology));
    }
  }

  /** Return the routes of a topology for one more device. */
  private PathCache join(Topology topology) {
    return Objects.requireNonNull(
        caches.compute(
            topology,
            (t, known) -> {
              PathCache cache = known == null ? new PathCache(t, rules, judged) : known;
              cache.devices.incrementAndGet();
              return cache;
            }));
  }

  /** Forget the routes of a topology with its last device, lest they keep the machine. */
  private void leave(Topology topology) {
    caches.computeIfPresent(topology, (t, cache) -> cache.devices.decrementAndGet() == 0 ? null : cache);
  }

  private int devices() {
    return caches.values().stream().mapToInt(cache -> cache.devices.get()).sum();
  }

  /** Return how a device reaches the memory of another, as its mappings would. */
  public PeerPath path(Machine machine, DeviceSlot importer, DeviceSlot provider) {
    boolean untrusted = !importer.trusted() || machine.addressSpaceFor(importer).members().stream().anyMatch(member -> !member.trusted());
    PathCache known = caches.get(machine.topology());
    return (known == null ? new PathCache(machine.topology(), rules, judged) : known).path(importer, provider, untrusted);
  }

  /**
   * Find the published memory that is nearest to all of some devices: the smallest sum of distances, then the most free bytes.
   *
   * @param published where to look
   * @param clients the devices that will use it
   * @return null if there are no clients, or none of the memory can be reached by all of them
   */
  public @Nullable PeerMemory nearest(Machine machine, List<PeerMemory> published, List<DeviceSlot> clients) {
    PeerMemory best = null;
    long bestDistance = Long.MAX_VALUE;
    for (PeerMemory memory : published) {
      long distance = distance(machine, memory, clients);
      if (distance < bestDistance || (best != null && distance == bestDistance && memory.freeBytes() > best.freeBytes())) {
        best = memory;
        bestDistance = distance;
      }
    }
    return bestDistance == Long.MAX_VALUE ? null : best;
  }

  /** Return the sum of the distances, or the greatest number if a device cannot reach the memory or there is none. */
  private long distance(Machine machine, PeerMemory memory, List<DeviceSlot> clients) {
    if (memory.isRevoked() || clients.isEmpty()) {
      return Long.MAX_VALUE;
    }
    long sum = 0;
    for (DeviceSlot client : clients) {
      PeerPath path = path(machine, client, memory.provider());
      if (!path.isReachable()) {
        return Long.MAX_VALUE;
      }
      sum += path.distance();
    }
    return sum;
  }

  /** Return what was done since the layer was made. */
  public P2pStatistics statistics() {
    return new P2pStatistics(devices(), judged.sum(), busMappings.sum(), refused.sum());
  }

  /**
   * Check that every device is detached, and serve no more; may be repeated.
   *
   * @throws IllegalStateException if one is not; its mapper must be closed first, and nothing has changed
   */
  @Override
  public void close() {
    synchronized (open) {
      int attached = devices();
      if (attached != 0) {
        throw new IllegalStateException("layer p2p still serves " + attached + " devices; close their mappers and unmap what is still mapped first");
      }
      open.close();
    }
  }
}
