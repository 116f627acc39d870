package io.twostep.backend.debug;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Which memory of one machine is mapped now, over all its devices, by physical address. Thread-safe. */
final class Uses {
  private record Key(long phys, long id) implements Comparable<Key> {
    @Override
    public int compareTo(Key other) {
      int byPhys = Long.compareUnsigned(phys, other.phys);
      return byPhys != 0 ? byPhys : Long.compare(id, other.id);
    }
  }

  private static final int REMEMBERED = 1024;

  private final TreeMap<Key, Link> uses = new TreeMap<>();
  private final ArrayDeque<Link> gone = new ArrayDeque<>();
  private long longest;

  synchronized void add(Link link) {
    uses.put(new Key(link.phys, link.id), link);
    longest = Math.max(longest, link.length);
  }

  synchronized void remove(Link link) {
    uses.remove(new Key(link.phys, link.id));
    if (gone.size() == REMEMBERED) {
      gone.removeFirst();
    }
    gone.addLast(link);
    if (uses.isEmpty()) {
      longest = 0;
    }
  }

  /** Return the link that held an address last, of those remembered, or null. */
  synchronized @Nullable Link before(long phys) {
    for (Iterator<Link> latest = gone.descendingIterator(); latest.hasNext(); ) {
      Link each = latest.next();
      if (Long.compareUnsigned(phys - each.phys, each.length) < 0) {
        return each;
      }
    }
    return null;
  }

  /** Return the links that have a byte in {@code first .. last}, both inclusive. */
  synchronized List<Link> within(long first, long last) {
    List<Link> found = new ArrayList<>(0);
    for (Link use : uses.headMap(new Key(last, Long.MAX_VALUE), true).descendingMap().values()) {
      if (Long.compareUnsigned(use.phys, first) < 0 && Long.compareUnsigned(first - use.phys, longest) >= 0) {
        break;
      }
      if (Long.compareUnsigned(use.phys + (use.length - 1), first) >= 0) {
        found.add(use);
      }
    }
    return found;
  }

  /** Return how many of some links have one and the same byte of a range, at the byte where most do. */
  static int deepest(List<Link> links, long phys, long length) {
    long[] starts = links.stream().mapToLong(link -> Long.compareUnsigned(link.phys, phys) < 0 ? 0 : link.phys - phys).sorted().toArray();
    long[] lasts = links.stream().mapToLong(link -> Math.min(link.phys + link.length - phys, length) - 1).sorted().toArray();
    int deepest = 0;
    int ended = 0;
    for (int i = 0; i < starts.length; i++) {
      while (lasts[ended] < starts[i]) {
        ended++;
      }
      deepest = Math.max(deepest, i + 1 - ended);
    }
    return deepest;
  }
}
