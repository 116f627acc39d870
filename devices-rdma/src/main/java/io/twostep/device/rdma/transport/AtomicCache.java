package io.twostep.device.rdma.transport;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** What the last atomics found, so that a request that comes twice is answered twice and executed once (IBA 9.4.5.1). */
final class AtomicCache {
  private final int capacity;
  private final ArrayDeque<Entry> entries = new ArrayDeque<>();

  /** Create a cache for as many atomics as the peer may have under way. */
  AtomicCache(int capacity) {
    this.capacity = capacity;
  }

  private record Entry(Packet request, long original) {}

  /** Keep what a new atomic found. Whoever had its number before is a lap behind, and nobody's duplicate any more. */
  void add(Packet request, long original) {
    entries.removeIf(entry -> entry.request.psn == request.psn);
    if (entries.size() == capacity) {
      entries.removeFirst();
    }
    entries.addLast(new Entry(request, original));
  }

  /** Return what the atomic found that this is a duplicate of; null if none is known. */
  @Nullable Long find(Packet duplicate) {
    for (Entry entry : entries) {
      Packet request = entry.request;
      if (request.psn == duplicate.psn
          && request.opcode == duplicate.opcode
          && request.address == duplicate.address
          && request.key == duplicate.key
          && request.swapOrAdd == duplicate.swapOrAdd
          && request.compare == duplicate.compare) {
        return entry.original;
      }
    }
    return null;
  }
}
