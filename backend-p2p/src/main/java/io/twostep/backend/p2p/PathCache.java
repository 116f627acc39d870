package io.twostep.backend.p2p;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Topology;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/** Remembers judged routes of one topology until it changes, then forgets them all. Thread-safe. */
final class PathCache {
  private record Pair(DeviceSlot importer, DeviceSlot provider, boolean untrusted) {}

  private record Snapshot(long generation, Map<Pair, PeerPath> paths) {}

  private final Topology topology;
  private final PeerRules rules;
  private final LongAdder judged;

  /** How many attached devices use it. */
  final AtomicInteger devices = new AtomicInteger();

  private volatile Snapshot snapshot = new Snapshot(-1, Map.of());

  /**
   * Begin to remember.
   *
   * @param judged counts routes that are judged rather than remembered
   */
  PathCache(Topology topology, PeerRules rules, LongAdder judged) {
    this.topology = topology;
    this.rules = rules;
    this.judged = judged;
  }

  Topology topology() {
    return topology;
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
