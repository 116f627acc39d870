package io.twostep.machine.model.iommu;

import io.twostep.dma.spi.FaultRecord.Cause;
import org.jspecify.annotations.Nullable;

/** What one walk found; reused. */
final class Walk {
  /** The device may read. */
  static final int READ = 1;

  /** The device may write. */
  static final int WRITE = 2;

  /** Of a cached translation: writes through it set no dirty bit any more. */
  static final int MARKED = 4;

  /** The most levels any format has. */
  static final int MOST_LEVELS = 6;

  /** Physical address of the first byte of the leaf. */
  long leafPhys;

  /** log2 of the bytes the leaf covers, or of the hole if there is none. */
  int shift;

  /** {@link #READ} and {@link #WRITE}, ANDed down the walk. */
  int access;

  /** Physical address of the leaf's item. */
  long itemPhys;

  /** The leaf's item as it was read. */
  long item;

  /** Null if there is a leaf, else why not. */
  @Nullable Cause cause;

  /** Levels of the first and the last table read. */
  int firstLevel;

  int lastLevel;

  /** The tables on the path from first to last, by level, 0 for a skipped one, and the permissions each was reached with. */
  final long[] tables = new long[MOST_LEVELS];

  final int[] tableAccess = new int[MOST_LEVELS];

  /** Tables read by all walks through this object. */
  long tableReads;

  /** Those among them that lay in frames no block owned. */
  long strays;

  boolean found(long phys, int leafShift, int permissions) {
    leafPhys = phys;
    shift = leafShift;
    access = permissions;
    cause = null;
    return true;
  }

  boolean missing(Cause why, int holeShift) {
    shift = holeShift;
    access = 0;
    cause = why;
    return false;
  }
}
