package io.twostep.backend.iommu.table;

import org.jspecify.annotations.Nullable;

/**
 * Links many physical ranges one behind the other, all or nothing, with the loop inside.
 *
 * <p>Looks at the slots of the whole run once, so that the loop that writes has nothing left to refuse.
 */
final class RunLinker {
  private final RangeLinker linker;
  private final TableLimits limits;

  RunLinker(RangeLinker linker, TableLimits limits) {
    this.linker = linker;
    this.limits = limits;
  }

  int link(
      long iova,
      long[] phys,
      long[] length,
      int from,
      int to,
      long attributes,
      long sizes,
      @Nullable LeafCursor cursor,
      TablePages detached) {
    long unlike = 0;
    long bits = 0;
    for (int i = from; i < to; i++) {
      unlike |= length[i] ^ TableMemory.PAGE;
      bits |= phys[i];
    }
    if (unlike == 0 && limits.isPage(iova, bits, TableMemory.PAGE)) {
      return linkPages(iova, phys, from, to, attributes, cursor);
    }
    long last = iova - 1;
    long skew = 0;
    long reach = 0;
    boolean large = false;
    for (int i = from; i < to; i++) {
      long first = last + 1;
      last += length[i];
      if (length[i] == 0 || Long.compareUnsigned(last, first) < 0 || (first == 0 && i > from)) {
        return TableResult.OUT_OF_BOUNDS;
      }
      skew |= (first ^ phys[i]) | (i > from ? first : 0);
      long span = limits.roundUp(last) - limits.roundDown(first);
      reach |= limits.reach(phys[i], span);
      large |= RangeLinker.mayBeLarge(span);
    }
    int result = limits.check(iova, last, skew, reach);
    if (result == TableResult.OK) {
      result = large ? planEach(iova, phys, length, from, to, sizes, cursor)
          : linker.planSmall(limits.roundDown(iova), limits.roundUp(last), cursor);
    }
    if (result == TableResult.OK) {
      write(iova, phys, length, from, to, attributes, sizes, cursor, detached);
    }
    return result;
  }

  /** Links ranges that are one page each. */
  private int linkPages(long iova, long[] phys, int from, int to, long attributes, @Nullable LeafCursor cursor) {
    long last = iova + (long) (to - from) * TableMemory.PAGE - 1;
    int result = limits.check(iova, last, 0, 0);
    if (result == TableResult.OK) {
      result = linker.planSmall(iova, last, cursor);
    }
    if (result == TableResult.OK) {
      long at = iova;
      for (int i = from; i < to; ) {
        int written = linker.fillPages(linker.table(at, 0, cursor), at, phys, i, to, attributes);
        at += (long) written * TableMemory.PAGE;
        i += written;
      }
    }
    return result;
  }

  private int planEach(
      long iova, long[] phys, long[] length, int from, int to, long sizes, @Nullable LeafCursor cursor) {
    long first = iova;
    for (int i = from; i < to; i++) {
      long last = limits.roundUp(first + length[i] - 1);
      int result = linker.plan(limits.roundDown(first), last, limits.roundDown(phys[i]), sizes, cursor);
      if (result != TableResult.OK) {
        return result;
      }
      first += length[i];
    }
    return TableResult.OK;
  }

  private void write(
      long iova,
      long[] phys,
      long[] length,
      int from,
      int to,
      long attributes,
      long sizes,
      @Nullable LeafCursor cursor,
      TablePages detached) {
    long table = TableTree.ABSENT;
    long region = 0;
    long next = iova;
    int i = from;
    while (i < to) {
      long first = limits.roundDown(next);
      long last = limits.roundUp(next + length[i] - 1);
      long start = limits.roundDown(phys[i]);
      if (RangeLinker.mayBeLarge(last - first)) {
        linker.write(first, last, start, attributes, sizes, cursor, detached);
        next += length[i++];
        continue;
      }
      if (table < 0 || (first ^ region) >>> TableTree.LEAF_TABLE_SHIFT != 0) {
        table = linker.table(first, 0, cursor);
        region = first;
      }
      if (last - first < TableMemory.PAGE) {
        int written = linker.writePages(table, first, phys, length, i, to, attributes);
        next = first + (long) written * TableMemory.PAGE;
        i += written;
        continue;
      }
      long end = RangeLinker.endInLeafTable(first, last);
      linker.writeInLeafTable(table, first, end, start, attributes, sizes);
      if (end != last) {
        region = end + 1;
        table = linker.table(region, 0, cursor);
        linker.writeInLeafTable(table, region, last, start + (region - first), attributes, sizes);
      }
      next += length[i++];
    }
  }
}
