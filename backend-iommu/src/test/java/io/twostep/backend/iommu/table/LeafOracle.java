package io.twostep.backend.iommu.table;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Keeps what should be linked as an interval map of leaves, and says what every call should answer. */
final class LeafOracle {
  record Leaf(long first, long last, long phys, int access) {
    long length() {
      return last - first + 1;
    }
  }

  private final TreeMap<Long, Leaf> leaves = new TreeMap<>(Long::compareUnsigned);
  private final long[] sizesDescending;

  LeafOracle(TableFormat format) {
    sizesDescending =
        java.util.stream.IntStream.iterate(63, s -> s >= 12, s -> s - 1)
            .filter(s -> (format.pageSizes() >>> s & 1) == 1)
            .mapToLong(s -> 1L << s)
            .toArray();
  }

  int size() {
    return leaves.size();
  }

  Iterable<Leaf> all() {
    return leaves.values();
  }

  Leaf at(long iova) {
    Map.Entry<Long, Leaf> floor = leaves.floorEntry(iova);
    return floor != null && Long.compareUnsigned(iova, floor.getValue().last) <= 0 ? floor.getValue() : null;
  }

  List<Leaf> touching(long first, long last) {
    List<Leaf> found = new ArrayList<>();
    Leaf head = at(first);
    if (head != null && head.first != first) {
      found.add(head);
    }
    found.addAll(leaves.subMap(first, true, last, true).values());
    return found;
  }

  boolean isFree(long first, long last) {
    return at(first) == null && leaves.subMap(first, true, last, true).isEmpty();
  }

  boolean isLinked(long first, long last) {
    long at = first;
    while (true) {
      Leaf leaf = at(at);
      if (leaf == null) {
        return false;
      }
      if (Long.compareUnsigned(leaf.last, last) >= 0) {
        return true;
      }
      at = leaf.last + 1;
    }
  }

  boolean splits(long first, long last) {
    Leaf head = at(first);
    Leaf tail = at(last);
    return head != null && head.first != first || tail != null && tail.last != last;
  }

  /** Adds the leaves of one range: at every place the largest size that is aligned on both sides and fits. */
  void add(long iova, long phys, long length, int access, long maxLeaf) {
    long done = 0;
    while (done != length) {
      for (long size : sizesDescending) {
        if ((Long.compareUnsigned(size, maxLeaf) <= 0 || size == 4096)
            && Long.compareUnsigned(size, length - done) <= 0
            && ((iova + done) & (size - 1)) == 0
            && ((phys + done) & (size - 1)) == 0) {
          leaves.put(iova + done, new Leaf(iova + done, iova + done + size - 1, phys + done, access));
          done += size;
          break;
        }
      }
    }
  }

  void remove(long first, long last) {
    leaves.subMap(first, true, last, true).clear();
  }

  void protect(long first, long last, int access) {
    leaves
        .subMap(first, true, last, true)
        .replaceAll((iova, leaf) -> new Leaf(leaf.first, leaf.last, leaf.phys, access | leaf.access & 4));
  }
}
