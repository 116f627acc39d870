package io.twostep.device.rdma.mirror;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The mappings of a process by address. Guarded by the process's lock. */
final class MappingTable {
  private final List<Mapping> sorted = new ArrayList<>();

  /** Return the mapping that holds {@code va}; null for a hole. */
  @Nullable Mapping find(long va) {
    int at = firstEndingAbove(va);
    return at < sorted.size() && sorted.get(at).start <= va ? sorted.get(at) : null;
  }

  private int firstEndingAbove(long va) {
    int low = 0;
    int high = sorted.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (sorted.get(middle).end <= va) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** Return the mappings that touch a range, in order; a copy. */
  List<Mapping> within(long start, long end) {
    List<Mapping> found = new ArrayList<>();
    for (int i = firstEndingAbove(start); i < sorted.size() && sorted.get(i).start < end; i++) {
      found.add(sorted.get(i));
    }
    return found;
  }

  List<Mapping> all() {
    return List.copyOf(sorted);
  }

  /** Add a mapping; returns false if it overlaps another. */
  boolean tryAdd(Mapping mapping) {
    int at = firstEndingAbove(mapping.start);
    if (at < sorted.size() && sorted.get(at).start < mapping.end) {
      return false;
    }
    sorted.add(at, mapping);
    return true;
  }

  void remove(Mapping mapping) {
    sorted.remove(mapping);
  }

  /** Cut mappings so that none crosses an edge of the range. */
  void splitAt(long start, long end) {
    split(start);
    split(end);
  }

  private void split(long va) {
    Mapping mapping = find(va);
    if (mapping != null && mapping.start != va) {
      int at = sorted.indexOf(mapping);
      sorted.set(at, mapping.part(mapping.start, va));
      sorted.add(at + 1, mapping.part(va, mapping.end));
    }
  }
}
