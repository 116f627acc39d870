package io.twostep.backend.debug;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.NavigableMap;
import java.util.SequencedSet;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Which I/O addresses of one address space are taken, by what, and what had them lately. Thread-safe. */
final class SpaceLedger {
  private static final int REMEMBERED = 4096;

  private final TreeMap<Long, Tracked> live = new TreeMap<>(Long::compareUnsigned);

  /** What was torn down and keeps its addresses until its batch releases them. */
  private final SequencedSet<Tracked> dying = new LinkedHashSet<>();

  /** What is being torn down, or was, and whose addresses a lazy terminal may hand out already. */
  private final SequencedSet<Tracked> givenAway = new LinkedHashSet<>();

  /** What was given away since the latest flush that was heard of. */
  private final TreeMap<Long, Tracked> unflushed = new TreeMap<>(Long::compareUnsigned);

  /** The number of that flush. */
  private long flushes;

  private final ArrayDeque<Tracked> gone = new ArrayDeque<>();

  /** Return what has an address of the range now, or null. */
  synchronized @Nullable Tracked taken(long first, long last) {
    return overlapping(live, first, last);
  }

  private static @Nullable Tracked overlapping(NavigableMap<Long, Tracked> these, long first, long last) {
    Map.Entry<Long, Tracked> below = these.floorEntry(last);
    return below != null && Long.compareUnsigned(below.getValue().lastByte(), first) >= 0 ? below.getValue() : null;
  }

  /** Return what was torn down and still keeps addresses of the range, or null. */
  synchronized @Nullable Tracked waiting(long first, long last) {
    for (Tracked each : dying.reversed()) {
      if (Long.compareUnsigned(each.firstGranule(), last) <= 0 && Long.compareUnsigned(each.lastByte(), first) >= 0) {
        return each;
      }
    }
    return null;
  }

  synchronized void add(Tracked tracked) {
    live.put(tracked.firstGranule(), tracked);
  }

  /**
   * Let others have the addresses of what is about to be torn down lazily, after the next flush if the device was ever led anywhere by them.
   *
   * @param latest the number of the latest flush; -1 if nobody counts them
   */
  synchronized void giveAway(Tracked tracked, long latest) {
    live.remove(tracked.firstGranule(), tracked);
    givenAway.add(tracked);
    if (latest != -1 && tracked.wasLinked()) {
      flushed(latest);
      unflushed.put(tracked.firstGranule(), tracked);
    }
  }

  /** Return what was given away and not flushed since, and had addresses of the range, or null. */
  synchronized @Nullable Tracked unflushed(long first, long last, long latest) {
    flushed(latest);
    return overlapping(unflushed, first, last);
  }

  /** Forget what waits for a flush if there was one, also where flushes are counted anew: a report may be missed then, and none is false. */
  private void flushed(long latest) {
    if (latest != flushes) {
      flushes = latest;
      unflushed.clear();
    }
  }

  /** Forget what waits for a flush: the terminal is about to be closed, and another may begin to count where it did. */
  synchronized void closing() {
    unflushed.clear();
  }

  /** Undo {@link #giveAway}, because the teardown failed. Returns what was given the addresses meanwhile, or null. */
  synchronized @Nullable Tracked keep(Tracked tracked) {
    if (!givenAway.remove(tracked)) {
      return null;
    }
    unflushed.remove(tracked.firstGranule(), tracked);
    Tracked taker = taken(tracked.firstGranule(), tracked.lastByte());
    if (taker == null) {
      live.put(tracked.firstGranule(), tracked);
    }
    return taker;
  }

  /** Note that something was torn down; what was not given away keeps its addresses until {@link #retire}. */
  synchronized void tearDown(Tracked tracked) {
    if (!givenAway.contains(tracked)) {
      live.remove(tracked.firstGranule(), tracked);
      dying.add(tracked);
    }
  }

  /** Note that addresses are released. */
  synchronized void retire(Tracked tracked) {
    if (dying.remove(tracked) || givenAway.remove(tracked)) {
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
    Tracked torn = holding(dying.reversed().iterator(), address);
    Tracked given = torn != null ? torn : holding(givenAway.reversed().iterator(), address);
    return given != null ? given : holding(gone.descendingIterator(), address);
  }

  private static @Nullable Tracked holding(Iterator<Tracked> these, long address) {
    while (these.hasNext()) {
      Tracked each = these.next();
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
