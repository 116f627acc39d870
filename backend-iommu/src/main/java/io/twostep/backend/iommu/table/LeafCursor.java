package io.twostep.backend.iommu.table;

/**
 * Remembers the table in which a handle put leaves last, so that the next link nearby need not walk from the root.
 *
 * <p>Lives in a handle, belongs to one page table, and follows that handle's thread rules. It outlives reservations: no
 * table inside a live one is detached, and what was detached in between shows in the count of {@link
 * TableTree#detachments()}, which makes it forget. Whoever gets a range after its tables went sees that count, because it
 * changed before the range was given back.
 */
public final class LeafCursor {
  /** No level is this high, so that no place equals it. */
  private static final long NOWHERE = -1;

  private static final int NO_TAG = -1;

  /** The region that the table spans, with the table's level in the low three bits. */
  private long place = NOWHERE;

  private long table;
  private long detachments;
  private int tag = NO_TAG;
  private int largeTag = NO_TAG;
  private long attributes;

  /** Tells whether the table of {@code level} for {@code iova} is remembered and has stood ever since. */
  boolean holds(long iova, int level, long detachmentsNow) {
    return place == placeOf(iova, level) && detachments == detachmentsNow;
  }

  /**
   * Remembers what leaves linked with a tag have beside their address, until the next call.
   *
   * @param tag what the owner tells the permissions of links apart by, not negative
   * @param attributes of {@link LeafLinker#attributes}; 0 for no short way
   * @param large whether large leaves may be linked too
   */
  public void permit(int tag, long attributes, boolean large) {
    this.tag = attributes == 0 ? NO_TAG : tag;
    this.largeTag = large ? this.tag : NO_TAG;
    this.attributes = attributes;
  }

  /** Tells whether just that is remembered which {@link #permit} would be told. */
  public boolean permits(int tag, boolean large) {
    return this.tag == tag && this.largeTag == tag == large;
  }

  /**
   * Returns 0 if the leaf table for {@code iova} is remembered and the tag permitted; for a cursor that was renewed since its owner was given the address.
   *
   * <p>From then on only the owner's own large leaves can take the table, and those make the cursor remember the table that they are put in instead.
   */
  long misfit(long iova, int tag) {
    return (place ^ placeOf(iova, 0)) | (this.tag ^ tag);
  }

  /** Returns 0 if large leaves with the tag are permitted and the table one level up that {@code iova}'s would lie in is remembered; otherwise as {@link #misfit}. */
  long misfitLarge(long iova, int tag) {
    return (place ^ placeOf(iova, LeafLinker.LARGE_LEVEL)) | (largeTag ^ tag);
  }

  /** Returns what pages with the permitted tag have beside their address. */
  long attributes() {
    return attributes;
  }

  /** Forgets a table that may no longer stand. */
  void renew(long detachmentsNow) {
    if (detachments != detachmentsNow) {
      place = NOWHERE;
    }
  }

  /** Returns the segment offset of the remembered table. */
  long table() {
    return table;
  }

  /** Remembers a table that was found in a walk which began when the count stood at {@code detachmentsBefore}. */
  void remember(long iova, int level, long tableOffset, long detachmentsBefore) {
    place = placeOf(iova, level);
    table = tableOffset;
    detachments = detachmentsBefore;
  }

  /** A root that spans all there is has one region, whatever bits of the address the shift leaves. */
  private static long placeOf(long iova, int level) {
    return iova >>> TableTree.wordShift(level + 1) << TableTree.LEVEL_BITS | level;
  }
}
