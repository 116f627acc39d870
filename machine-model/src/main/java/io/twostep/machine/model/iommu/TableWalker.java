package io.twostep.machine.model.iommu;

import io.twostep.dma.spi.FaultRecord.Cause;
import io.twostep.dma.spi.TableFormat;
import io.twostep.machine.model.memory.ModelMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Walk tables of 512 eight-byte items from the root down, as hardware would: nothing is assumed of the tables but what their format says.
 *
 * <p>Levels count from 0, which holds only leaves. Tables are read with acquire, since their owner may be storing to them.
 */
abstract sealed class TableWalker permits VtdSecondStageWalker, AmdV1Walker {
  static final int PAGE_SHIFT = 12;
  static final int LEVEL_BITS = 9;
  static final long ADDRESS = 0x000f_ffff_ffff_f000L;

  private static final ValueLayout.OfLong ITEM = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle ITEMS = ITEM.varHandle();

  final TableFormat format;
  private final long outside;
  private final ModelMemory memory;
  private final MemorySegment storage;

  TableWalker(TableFormat format, ModelMemory memory) {
    this.format = format;
    this.memory = memory;
    this.storage = memory.storage();
    this.outside = ADDRESS & -(1L << format.physBits());
  }

  /** Return the walker of a format. */
  static TableWalker of(TableFormat format, ModelMemory memory) {
    return switch (format.name()) {
      case TableFormat.VTD_SECOND_STAGE -> new VtdSecondStageWalker(format, memory);
      case TableFormat.AMD_V1 -> new AmdV1Walker(format, memory);
      default -> throw new IllegalArgumentException("no walker for table format '" + format.name() + "'");
    };
  }

  /** Return the width of addresses that tables of so many levels translate. */
  abstract int width(int levels);

  /** Walk from the root; returns whether {@code out} holds a leaf. */
  final boolean walk(long rootPhys, int levels, long iova, Walk out) {
    int width = width(levels);
    if (width < 64 && iova >>> width != 0) {
      return out.missing(Cause.BEYOND_WIDTH, width);
    }
    return walkFrom(rootPhys, levels - 1, Walk.READ | Walk.WRITE, iova, out);
  }

  /** Walk on from a table of {@code level} that was reached with {@code access}. */
  final boolean walkFrom(long tablePhys, int level, int access, long iova, Walk out) {
    out.firstLevel = level;
    return descend(tablePhys, level, access, iova, out);
  }

  /** Follow the items down from a table to a leaf or a hole. */
  abstract boolean descend(long tablePhys, int level, int access, long iova, Walk out);

  /** Tell whether an item of a leaf table is a leaf the hardware accepts. */
  abstract boolean isLeaf(long item);

  /**
   * Return the first item from {@code from} to {@code to} of a leaf table that differs from the first in being a leaf, {@code to} + 1 if none does. Reads
   * plainly: who publishes or invalidates has stored before, under an order of its own.
   *
   * @param leafTable a table at level 0, in RAM
   */
  final int runEnd(long leafTable, int from, int to, boolean leaf) {
    long offset = memory.offsetOf(leafTable);
    int at = from + 1;
    while (at <= to && isLeaf(storage.get(ITEM, offset + 8L * at)) == leaf) {
      at++;
    }
    return at;
  }

  /** Set the accessed and dirty bits of the leaf last found; returns false if its item changed meanwhile. */
  abstract boolean mark(Walk leaf, boolean written);

  /** Set the accessed bits of the pointers that a walk followed, where the format has any. */
  void markPointers(Walk way, long iova) {}

  /** Tell whether a leaf needs {@link #mark} before an access. */
  abstract boolean needsMark(long item, boolean write);

  /** Remember which table is read now. */
  final void enter(Walk out, long tablePhys, int level, int access) {
    out.lastLevel = level;
    out.tables[level] = tablePhys;
    out.tableAccess[level] = access;
    out.tableReads++;
  }

  /** Read the item for {@code iova}; fails, with the item 0, for a table outside RAM. */
  final boolean readItem(long tablePhys, int level, long iova, Walk out) {
    long itemPhys = tablePhys + (((iova >>> levelShift(level)) & 511) << 3);
    out.itemPhys = itemPhys;
    if (!memory.layout().holds(itemPhys)) {
      out.item = 0;
      return false;
    }
    long offset = memory.locate(itemPhys);
    if (offset < 0) {
      out.strays++;
      offset = ~offset;
    }
    out.item = (long) ITEMS.getAcquire(storage, offset);
    return true;
  }

  /** Set bits of the item for {@code iova} in a table, unless it has them or is not present, which has one of {@code present}. */
  final void setBits(long tablePhys, int level, long iova, long bits, long present) {
    long offset = memory.offsetOf(tablePhys + (((iova >>> levelShift(level)) & 511) << 3));
    long item;
    do {
      item = (long) ITEMS.getAcquire(storage, offset);
    } while ((item & bits) != bits && (item & present) != 0 && !ITEMS.compareAndSet(storage, offset, item, item | bits));
  }

  final boolean replaceItem(Walk leaf, long item) {
    if (!ITEMS.compareAndSet(storage, memory.offsetOf(leaf.itemPhys), leaf.item, item)) {
      return false;
    }
    leaf.item = item;
    return true;
  }

  /** Tell whether an address has bits the hardware does not drive. */
  final boolean beyondPhys(long address) {
    return (address & outside) != 0;
  }

  static int levelShift(int level) {
    return PAGE_SHIFT + LEVEL_BITS * level;
  }
}
