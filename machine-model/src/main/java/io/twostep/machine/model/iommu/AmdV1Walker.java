package io.twostep.machine.model.iommu;

import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.dma.spi.TableFormat;
import io.twostep.machine.model.memory.ModelMemory;

/**
 * Read AMD version 1 host tables.
 *
 * <pre>
 *   63 62 61 60 59 58:52  51 ........ 12  11:9       8:7 6 5 4:1 0
 *   -  IW IR FC U  reserved address       next level ign D A ign PR
 * </pre>
 *
 * <p>Next level 0 is a leaf of the item's own size, 7 a leaf whose size is written in the low ones of its address: 2^(13 + ones). Any other value n points
 * to a table of level n - 1; levels between are skipped, and their address bits must be zero.
 */
final class AmdV1Walker extends TableWalker {
  private static final long PRESENT = 1;
  private static final long ACCESSED = 1 << 5;
  private static final long DIRTY = 1 << 6;
  private static final int NEXT_SHIFT = 9;
  private static final int NEXT_MASK = 7;
  private static final int NEXT_SIZE_IN_ADDRESS = 7;
  private static final int ACCESS_SHIFT = 61;
  private static final long RESERVED = (0x7fL << 52) | (1L << 63);
  private static final int TOP_LEVEL = 5;

  AmdV1Walker(TableFormat format, ModelMemory memory) {
    super(format, memory);
  }

  @Override
  int width(int levels) {
    return Math.min(64, levelShift(levels));
  }

  @Override
  boolean descend(long tablePhys, int tableLevel, int allowed, long iova, Walk out) {
    long table = tablePhys;
    int level = tableLevel;
    int access = allowed;
    while (true) {
      enter(out, table, level, access);
      int shift = levelShift(level);
      if (!readItem(table, level, iova, out)) {
        return out.missing(Cause.MALFORMED_TABLE, shift);
      }
      long item = out.item;
      if ((item & PRESENT) == 0) {
        return out.missing(Cause.NOT_PRESENT, shift);
      }
      int next = (int) (item >>> NEXT_SHIFT) & NEXT_MASK;
      if ((item & RESERVED) != 0) {
        return out.missing(Cause.MALFORMED_TABLE, shift);
      }
      access &= (int) (item >>> ACCESS_SHIFT);
      if (next == 0 || next == NEXT_SIZE_IN_ADDRESS) {
        return leaf(item, next, level, access, out);
      }
      if (next > level || beyondPhys(item)) {
        return out.missing(Cause.MALFORMED_TABLE, shift);
      }
      if ((iova & ((1L << shift) - 1)) >>> levelShift(next) != 0) {
        return out.missing(Cause.NOT_PRESENT, levelShift(next));
      }
      for (int skipped = next; skipped < level; skipped++) {
        out.tables[skipped] = 0;
      }
      level = next - 1;
      table = item & ADDRESS;
    }
  }

  private boolean leaf(long item, int next, int level, int access, Walk out) {
    int itemShift = levelShift(level);
    long field = item & ADDRESS;
    int shift = next == 0 ? itemShift : 13 + Long.numberOfTrailingZeros(~(field >>> PAGE_SHIFT));
    long phys = next == 0 ? field : field & -(1L << Math.min(shift, 63));
    boolean fits = next == 0 ? level < TOP_LEVEL : shift > itemShift && shift < itemShift + LEVEL_BITS;
    boolean offered = shift < 52 && ((format.pageSizes() >>> shift) & 1) != 0;
    boolean aligned = (phys & ((1L << Math.min(shift, 63)) - 1)) == 0;
    if (!fits || !offered || !aligned || beyondPhys(phys)) {
      return out.missing(Cause.MALFORMED_TABLE, itemShift);
    }
    return out.found(phys, shift, access);
  }

  @Override
  boolean isLeaf(long item) {
    int next = (int) (item >>> NEXT_SHIFT) & NEXT_MASK;
    return (item & PRESENT) != 0 && (item & RESERVED) == 0 && (next == 0 || next == NEXT_SIZE_IN_ADDRESS) && !beyondPhys(item);
  }

  @Override
  boolean needsMark(long item, boolean write) {
    long wanted = write ? ACCESSED | DIRTY : ACCESSED;
    return (item & wanted) != wanted;
  }

  @Override
  boolean mark(Walk leaf, boolean written) {
    return replaceItem(leaf, leaf.item | ACCESSED | (written ? DIRTY : 0));
  }
}
