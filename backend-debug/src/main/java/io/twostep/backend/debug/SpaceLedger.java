package io.twostep.backend.debug;

import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Which I/O addresses of one address space are taken, by what, and what had them lately. Thread-safe. */
final class SpaceLedger {
  private static final int REMEMBERED = 4096;

  private final TreeMap<Long, Tracked> live = new TreeMap<>(Long::compareUnsigned);
  private final Set<Tracked> dying = new HashSet<>();
  private final ArrayDeque<Tracked> gone = new ArrayDeque<>();

  /** Return what has an address of the range now, or null. */
  synchronized @Nullable Tracked taken(long first, long last) {
    Map.Entry<Long, Tracked> below = live.floorEntry(last);
    return below != null && Long.compareUnsigned(below.getValue().lastByte(), first) >= 0 ? below.getValue() : null;
  }

  /** Return what was torn down and still waits for its invalidation in the range, or null. */
  synchronized @Nullable Tracked waiting(long first, long last) {
    for (Tracked each : dying) {
      if (Long.compareUnsigned(each.firstGranule(), last) <= 0 && Long.compareUnsigned(each.lastByte(), first) >= 0) {
        return each;
      }
    }
    return null;
  }

  synchronized void add(Tracked tracked) {
    live.put(tracked.firstGranule(), tracked);
  }

  synchronized void tearDown(Tracked tracked) {
    live.remove(tracked.firstGranule(), tracked);
    dying.add(tracked);
  }

  synchronized void retire(Tracked tracked) {
    if (dying.remove(tracked)) {
      if (gone.size() == REMEMBERED) {
        gone.removeFirst();
      }
      gone.addLast(tracked);
    }
  }

  /** Return what lives at an address, or null. */
  synchronized @Nullable Tracked liveAt(long address) {
    Map.Entry<Long, Tracked> below = live.floorEntry(address);
    return below != null && below.getValue().holds(address) ? below.getValue() : null;
  }

  /** Return what had an address last, torn down or wholly gone, or null. */
  synchronized @Nullable Tracked lastAt(long address) {
    for (Tracked each : dying) {
      if (each.holds(address)) {
        return each;
      }
    }
    for (Iterator<Tracked> latest = gone.descendingIterator(); latest.hasNext(); ) {
      Tracked each = latest.next();
      if (each.holds(address)) {
        return each;
      }
    }
    return null;
  }

  /** Return the live mapping that ends at most {@code distance} bytes below an address, or null. */
  synchronized @Nullable Tracked endingBelow(long address, long distance) {
    Map.Entry<Long, Tracked> below = live.floorEntry(address);
    return below != null && Long.compareUnsigned(address - below.getValue().lastByte(), distance) <= 0 ? below.getValue() : null;
  }
}
