package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;

/**
 * Links one leaf of 4 KiB or 2 MiB in the remembered table: the short way for the most frequent calls.
 *
 * <p>Everything it needs stands here and in the cursor, so that a link costs one word read and one written and few loads besides.
 */
public final class LeafLinker {
  private static final int LARGE_LEVEL = 1;
  private static final long LARGE = 1L << TableTree.wordShift(LARGE_LEVEL);

  /** A length that no range has. */
  private static final long NONE = 0;

  private final TableTree tree;
  private final MemorySegment segment;
  private final long[] attributes;
  private final long largeLeafBits;

  /** The one length that is a small leaf, or {@link #NONE} where granules are larger. */
  private final long page;

  /** The one length that is a large leaf, or {@link #NONE} where there is no such leaf. */
  private final long large;

  /** Bits that no physical address within the output width has. */
  private final long beyondWidth;

  LeafLinker(TableTree tree, TableFormat format, long granule, long[] attributes) {
    this.tree = tree;
    this.segment = tree.segment;
    this.attributes = attributes;
    this.largeLeafBits = format.largeLeafBits();
    this.page = granule == TableMemory.PAGE ? granule : NONE;
    this.large = granule <= LARGE && (format.pageSizes() & LARGE) != 0 ? LARGE : NONE;
    this.beyondWidth = -1L << format.outputBits();
  }

  /**
   * Links a range as {@link RadixPageTable#map} does, if it is one leaf in the table that {@code cursor} remembers.
   *
   * @param maxLeaf the largest leaf allowed, a power of two, or {@link RadixPageTable#ANY_LEAF}
   * @param cursor renewed, by {@link RadixPageTable#renew}, since its owner was given the I/O address
   * @return false, with nothing changed, if {@link RadixPageTable#map} has to do it or to say why not
   */
  public boolean tryLink(long iova, long phys, long length, int access, long maxLeaf, LeafCursor cursor) {
    return length == page
        ? isPage(iova, phys, length, access)
            && cursor.isInLeafTable(iova)
            && tryStore(TableTree.slot(cursor.table(), 0, iova), phys | attributes[access])
        : length == large && tryLinkLarge(iova, phys, access, maxLeaf, cursor);
  }

  private boolean tryLinkLarge(long iova, long phys, int access, long maxLeaf, LeafCursor cursor) {
    return isLeaf(iova, phys, LARGE, access)
        && Long.compareUnsigned(maxLeaf, LARGE) >= 0
        && cursor.holds(iova, LARGE_LEVEL, tree.detachments())
        && tryStore(TableTree.slot(cursor.table(), LARGE_LEVEL, iova), phys | attributes[access] | largeLeafBits);
  }

  /** Links one page in a leaf table that its caller knows; as {@link #tryLink} otherwise. */
  boolean tryLinkPage(long table, long iova, long phys, int access) {
    return tryStore(TableTree.slot(table, 0, iova), phys | attributes[access]);
  }

  /** Tells whether a range is one granule of one page, that hardware can reach and that has a permission. */
  boolean isPage(long iova, long phys, long length, int access) {
    return length == page && isLeaf(iova, phys, TableMemory.PAGE, access);
  }

  private boolean isLeaf(long iova, long phys, long size, int access) {
    return (phys & (beyondWidth | (size - 1))) == 0
        && (iova & (size - 1)) == 0
        && (access & LeafAccess.READ_OR_WRITE) != 0;
  }

  private boolean tryStore(long slot, long leaf) {
    if (TableTree.word(segment, slot) != 0) {
      return false;
    }
    TableTree.setWord(segment, slot, leaf);
    tree.stored(1);
    return true;
  }
}
