package io.twostep.machine.model.iommu;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Remember every translation and table pointer that was valid at any time since the last invalidation that covers it: all that translation caches may
 * lawfully answer with.
 *
 * <p>Leaves are kept by size, table pointers by level, each with the permissions of the path. Bounded: once full, new entries are not remembered. Not
 * thread-safe; for the adversarial mode, where checking matters more than speed.
 */
final class History {
  private static final int MOST_ENTRIES = 1 << 20;
  private static final long ACCESS = Walk.READ | Walk.WRITE;
  private static final long BITS = ACCESS | Walk.MARKED;

  @SuppressWarnings({"unchecked", "rawtypes"})
  private final @Nullable Map<Long, long[]>[] leaves = new @Nullable Map[64];

  @SuppressWarnings({"unchecked", "rawtypes"})
  private final @Nullable Map<Long, long[]>[] tables = new @Nullable Map[Walk.MOST_LEVELS];

  private int entries;

  /** Remember the leaf of a walk, if it found one, {@link Walk#MARKED} or 0, and its tables. */
  void remember(long iova, Walk walk, int topLevel, int marked) {
    if (walk.cause == null) {
      add(leaves, walk.shift, iova >>> walk.shift, walk.leafPhys | walk.access | marked);
    }
    rememberTables(iova, walk, topLevel);
  }

  /** Remember the tables of a walk, but for one at {@code topLevel}: caches keep them whatever is found in the last. */
  void rememberTables(long iova, Walk walk, int topLevel) {
    for (int level = walk.lastLevel; level < topLevel && level <= walk.firstLevel; level++) {
      if (walk.tables[level] == 0) {
        continue;
      }
      add(tables, level, iova >>> TableWalker.levelShift(level + 1), walk.tables[level] | walk.tableAccess[level]);
    }
  }

  /** Put the remembered answers for {@code iova} into {@code out}: physical address of its page, permissions and mark in the low bits. Returns how many. */
  int leavesFor(long iova, long[] out) {
    int n = 0;
    for (int shift = TableWalker.PAGE_SHIFT; shift < 64; shift++) {
      Map<Long, long[]> map = leaves[shift];
      long[] known = map == null ? null : map.get(iova >>> shift);
      if (known != null) {
        long offset = iova & ((1L << shift) - 1) & -(1L << TableWalker.PAGE_SHIFT);
        for (int i = 0; i < known.length && n < out.length; i++) {
          out[n++] = known[i] + offset;
        }
      }
    }
    return n;
  }

  /** Put the remembered tables of one level for {@code iova} into {@code out}, permissions in the low bits. Returns how many. */
  int tablesFor(long iova, int level, long[] out) {
    Map<Long, long[]> map = tables[level];
    long[] known = map == null ? null : map.get(iova >>> TableWalker.levelShift(level + 1));
    if (known == null) {
      return 0;
    }
    int n = Math.min(known.length, out.length);
    System.arraycopy(known, 0, out, 0, n);
    return n;
  }

  /**
   * Forget of leaves what lies in the range, last inclusive, whole pages, and table pointers that touch it too if {@code withTables}. The rest of a leaf stays, in pieces: hardware may cache a large leaf so, and
   * who invalidates a part of it has not asked for the rest.
   */
  void forget(long firstIova, long lastIova, boolean withTables) {
    long firstPage = firstIova & -(1L << TableWalker.PAGE_SHIFT);
    long lastByte = lastIova | ((1L << TableWalker.PAGE_SHIFT) - 1);
    for (int shift = TableWalker.PAGE_SHIFT; shift < 64; shift++) {
      Map<Long, long[]> map = leaves[shift];
      long first = firstPage >>> shift;
      long last = lastByte >>> shift;
      long[] cutBefore = map == null ? null : map.get(first);
      long[] cutAfter = map == null ? null : map.get(last);
      forget(map, first, last);
      if (cutBefore != null) {
        keepPieces(first << shift, firstPage, first << shift, cutBefore);
      }
      if (cutAfter != null) {
        keepPieces(lastByte + 1, (last + 1) << shift, last << shift, cutAfter);
      }
    }
    if (withTables) {
      for (int level = 0; level < tables.length; level++) {
        int shift = Math.min(63, TableWalker.levelShift(level + 1));
        forget(tables[level], firstIova >>> shift, lastIova >>> shift);
      }
    }
  }

  /** Forget everything. */
  void clear() {
    Arrays.fill(leaves, null);
    Arrays.fill(tables, null);
    entries = 0;
  }

  private void forget(@Nullable Map<Long, long[]> map, long first, long last) {
    if (map == null || map.isEmpty()) {
      return;
    }
    if (last - first < map.size()) {
      for (long key = first; key <= last; key++) {
        long[] gone = map.remove(key);
        entries -= gone == null ? 0 : gone.length;
      }
      return;
    }
    Iterator<Map.Entry<Long, long[]>> all = map.entrySet().iterator();
    while (all.hasNext()) {
      Map.Entry<Long, long[]> entry = all.next();
      if (entry.getKey() >= first && entry.getKey() <= last) {
        entries -= entry.getValue().length;
        all.remove();
      }
    }
  }

  /** Keep what the answers of a leaf say about its bytes from {@code from} to {@code end}, exclusive, in naturally aligned pieces. */
  private void keepPieces(long from, long end, long leaf, long[] answers) {
    for (long at = from; at != end; ) {
      int shift = Math.min(Long.numberOfTrailingZeros(at), 63 - Long.numberOfLeadingZeros(end - at));
      for (long answer : answers) {
        add(leaves, shift, at >>> shift, answer + (at - leaf));
      }
      at += 1L << shift;
    }
  }

  private void add(@Nullable Map<Long, long[]>[] maps, int at, long key, long answer) {
    Map<Long, long[]> map = maps[at];
    if (map == null) {
      map = new HashMap<>();
      maps[at] = map;
    }
    long[] known = map.get(key);
    if (known == null) {
      if (entries < MOST_ENTRIES) {
        map.put(key, new long[] {answer});
        entries++;
      }
      return;
    }
    for (long k : known) {
      if (k == answer) {
        return;
      }
    }
    if (entries < MOST_ENTRIES) {
      long[] more = Arrays.copyOf(known, known.length + 1);
      more[known.length] = answer;
      map.put(key, more);
      entries++;
    }
  }

  /** Return the permissions of an answer. */
  static int access(long answer) {
    return (int) (answer & ACCESS);
  }

  /** Return the address of an answer. */
  static long address(long answer) {
    return answer & ~BITS;
  }
}
