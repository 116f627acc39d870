package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;

/**
 * Links one page in the remembered leaf table: the short way for the most frequent call.
 *
 * <p>Everything it needs stands here and in the cursor, so that a link costs one word read and one written and few loads besides.
 */
public final class PageLinker {
  private final TableTree tree;
  private final MemorySegment segment;
  private final long[] attributes;

  /** The one length that is a page; 0, which no range has, where granules are larger. */
  private final long page;

  /** Bits in which a physical address is not that of a page within the output width. */
  private final long forbiddenPhys;

  PageLinker(TableTree tree, TableFormat format, long granule, long[] attributes) {
    this.tree = tree;
    this.segment = tree.segment;
    this.attributes = attributes;
    this.page = granule == TableMemory.PAGE ? granule : 0;
    this.forbiddenPhys = -1L << format.outputBits() | (TableMemory.PAGE - 1);
  }

  /**
   * Links a range as {@link RadixPageTable#map} does, if it is one page in the table that {@code cursor} remembers.
   *
   * @param cursor renewed, by {@link RadixPageTable#renew}, since its owner was given the I/O address
   * @return false, with nothing changed, if {@link RadixPageTable#map} has to do it or to say why not
   */
  public boolean tryLink(long iova, long phys, long length, int access, LeafCursor cursor) {
    return isPage(iova, phys, length, access)
        && cursor.isInLeafTable(iova)
        && tryStore(TableTree.slot(cursor.table(), 0, iova), phys, access);
  }

  /** Tells whether a range is one granule of one page, that hardware can reach and that has a permission. */
  boolean isPage(long iova, long phys, long length, int access) {
    return length == page
        && (phys & forbiddenPhys) == 0
        && (iova & (TableMemory.PAGE - 1)) == 0
        && (access & LeafAccess.READ_OR_WRITE) != 0;
  }

  /** Writes the leaf of a page that {@link #isPage} let pass, unless its slot is taken. */
  boolean tryStore(long slot, long phys, int access) {
    if (TableTree.word(segment, slot) != 0) {
      return false;
    }
    TableTree.setWord(segment, slot, phys | attributes[access]);
    tree.stored(1);
    return true;
  }
}
