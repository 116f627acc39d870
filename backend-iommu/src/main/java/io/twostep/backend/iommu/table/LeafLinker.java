package io.twostep.backend.iommu.table;

import java.lang.foreign.MemorySegment;

/**
 * Links one leaf of 4 KiB or 2 MiB in the remembered table: the short way for the most frequent calls.
 *
 * <p>Everything it needs stands here and in the cursor, so that a link costs one word read and one written and few loads besides.
 */
public final class LeafLinker {
  static final int LARGE_LEVEL = 1;

  /** Bytes of a large leaf. */
  public static final long LARGE = 1L << TableTree.wordShift(LARGE_LEVEL);

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

  /** Returns the bits that a page with this permission has beside its address; 0 for no permission. */
  public long attributes(int access) {
    return (access & LeafAccess.READ_OR_WRITE) == 0 ? 0 : attributes[access];
  }

  /**
   * Links a range as {@link RadixPageTable#map} does, if it is one leaf, of 4 KiB or large, in the table that {@code cursor} remembers.
   *
   * @param tag names the permission, see {@link LeafCursor#permit}
   * @param cursor renewed, by {@link RadixPageTable#renew}, since its owner was given the I/O address
   * @return false, with nothing changed, if another way has to do it or to say why not
   */
  public boolean tryLink(long iova, long phys, long length, int tag, LeafCursor cursor) {
    // One decision for all that may be wrong with a leaf of either size.
    if (length == page) {
      return (misfit(iova, phys, TableMemory.PAGE) | cursor.misfit(iova, tag)) == 0
          && tryStore(TableTree.slot(cursor.table(), 0, iova), phys | cursor.attributes());
    }
    return ((length ^ large) | misfit(iova, phys, LARGE) | cursor.misfitLarge(iova, tag)) == 0
        && tryStore(TableTree.slot(cursor.table(), LARGE_LEVEL, iova), phys | cursor.attributes() | largeLeafBits);
  }

  /** Links one page, of which {@link #isPage} is true, in a leaf table that its caller knows. */
  boolean tryLinkPage(long table, long iova, long phys, int access) {
    return tryStore(TableTree.slot(table, 0, iova), phys | attributes[access]);
  }

  /** Tells whether a range is one granule of one page, that hardware can reach and that has a permission. */
  boolean isPage(long iova, long phys, long length, int access) {
    return length == page && misfit(iova, phys, TableMemory.PAGE) == 0 && (access & LeafAccess.READ_OR_WRITE) != 0;
  }

  /** Returns 0 if both addresses are multiples of {@code size} and hardware can reach the physical one. */
  private long misfit(long iova, long phys, long size) {
    return (phys & (beyondWidth | (size - 1))) | (iova & (size - 1));
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
