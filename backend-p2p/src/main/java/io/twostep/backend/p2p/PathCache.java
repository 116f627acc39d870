package io.twostep.backend.p2p;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Topology;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/** Remembers judged routes of one topology until it changes, then forgets them all. Thread-safe. */
final class PathCache {
  private record Pair(DeviceSlot importer, DeviceSlot provider, boolean untrusted) {}

  private record Snapshot(long generation, Map<Pair, PeerPath> paths) {}

  private final Topology topology;
  private final PeerRules rules;
  private final LongAdder judged = new LongAdder();
  private volatile Snapshot snapshot = new Snapshot(-1, Map.of());

  PathCache(Topology topology, PeerRules rules) {
    this.topology = topology;
    this.rules = rules;
  }

  Topology topology() {
    return topology;
  }

  /** Return how often a route was judged rather than remembered. */
  long judged() {
    return judged.sum();
  }

  PeerPath path(DeviceSlot importer, DeviceSlot provider, boolean untrusted) {
    // Read before the route: an answer may be thrown away too early, and is never kept too long.
    long generation = topology.generation();
    Snapshot now = snapshot;
    if (now.generation != generation) {
      now = new Snapshot(generation, new ConcurrentHashMap<>());
      snapshot = now;
    }
    Pair pair = new Pair(importer, provider, untrusted);
    PeerPath known = now.paths.get(pair);
    if (known == null) {
      judged.increment();
      known = rules.judge(topology.route(importer, provider), untrusted);
      now.paths.put(pair, known);
    }
    return known;
  }
}
