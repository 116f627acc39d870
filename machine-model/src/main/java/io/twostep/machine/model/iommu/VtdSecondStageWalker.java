package io.twostep.machine.model.iommu;

import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.dma.spi.TableFormat;
import io.twostep.machine.model.memory.ModelMemory;

/**
 * Read Intel VT-d second-stage tables.
 *
 * <pre>
 *   63 62:61 60:52 51 ........ 12 11  10 9 8 7  6 ... 2  1 0
 *   sw  0     sw   address        SNP sw D A PS reserved W R
 * </pre>
 *
 * <p>An item with neither R nor W is not present. PS makes a leaf of a level-1 or level-2 item; SNP is for leaves only, D is set in leaves, and A in all
 * items that an access came by.
 */
final class VtdSecondStageWalker extends TableWalker {
  private static final long READ = 1;
  private static final long WRITE = 1 << 1;
  private static final long PAGE_SIZE = 1 << 7;
  private static final long ACCESSED = 1 << 8;
  private static final long DIRTY = 1 << 9;
  private static final long SNOOP = 1 << 11;
  private static final long RESERVED = 0x7cL | (3L << 61);

  VtdSecondStageWalker(TableFormat format, ModelMemory memory) {
    super(format, memory);
  }

  @Override
  int width(int levels) {
    return levelShift(levels);
  }

  @Override
  boolean descend(long tablePhys, int tableLevel, int allowed, long iova, Walk out) {
    long table = tablePhys;
    int access = allowed;
    for (int level = tableLevel; ; level--) {
      enter(out, table, level, access);
      int shift = levelShift(level);
      if (!readItem(table, level, iova, out)) {
        return out.missing(Cause.MALFORMED_TABLE, shift);
      }
      long item = out.item;
      if ((item & (READ | WRITE)) == 0) {
        return out.missing(Cause.NOT_PRESENT, shift);
      }
      if ((item & RESERVED) != 0 || beyondPhys(item)) {
        return out.missing(Cause.MALFORMED_TABLE, shift);
      }
      access &= (int) item;
      if (level == 0 || (item & PAGE_SIZE) != 0) {
        long phys = item & ADDRESS;
        boolean offered = level <= 2 && ((format.pageSizes() >>> shift) & 1) != 0;
        boolean aligned = (phys & ((1L << shift) - 1)) == 0;
        return (offered && aligned)
            ? out.found(phys, shift, access)
            : out.missing(Cause.MALFORMED_TABLE, shift);
      }
      if ((item & SNOOP) != 0) {
        return out.missing(Cause.MALFORMED_TABLE, shift);
      }
      table = item & ADDRESS;
    }
  }

  @Override
  boolean isLeaf(long item) {
    return (item & (READ | WRITE)) != 0 && (item & RESERVED) == 0 && !beyondPhys(item);
  }

  @Override
  void markPointers(Walk way, long iova) {
    for (int level = way.firstLevel; level > way.lastLevel; level--) {
      setBits(way.tables[level], level, iova, ACCESSED, READ | WRITE);
    }
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
