package io.twostep.backend.iommu;

import io.twostep.backend.iommu.iova.KeptRange;
import io.twostep.backend.iommu.table.LeafCursor;
import io.twostep.backend.iommu.table.PageWindow;
import io.twostep.backend.iommu.table.TablePages;
import org.jspecify.annotations.Nullable;

/**
 * What a handle remembers for the terminal: where its range was allocated, the addresses it gave back last, the leaf table it linked in last, and tables that its
 * calls detached.
 *
 * <p>Made with a handle's first mapping and kept. A window's is written by reserve and release only.
 */
final class TableState {
  final TableSpace space;
  final LeafCursor cursor = new LeafCursor();
  final TablePages detached = new TablePages();

  /** The way to the pages of a window of single pages; null otherwise. */
  @Nullable PageWindow window;

  /** What keeps the addresses given back last; null until the handle asks a second time, and where flushes are deferred. */
  @Nullable KeptRange kept;

  /** Whether addresses were asked for before. */
  private boolean asked;

  /** First address of the allocation. */
  long base;

  /** Whether a translation of the range may have existed since it was reserved, or tables been built for one. */
  boolean touched;

  /** The granules of this reservation that are linked in part; only devices that do not snoop need them. */
  final PartialGranules partials = new PartialGranules();

  TableState(TableSpace space) {
    this.space = space;
  }

  /** Return what keeps the handle's addresses; null, and there is nothing to take back in the end, for one that asks only once. */
  @Nullable KeptRange keeper() {
    if (kept == null && space.queue == null) {
      if (asked) {
        kept = space.iova.newKeptRange();
      }
      asked = true;
    }
    return kept;
  }

  /** Have the addresses that are kept given back: nobody asks again. */
  void forgetAddresses() {
    KeptRange gone = kept;
    if (gone != null) {
      space.iova.forget(gone);
      kept = null;
    }
    asked = false;
  }

  /** Note that a translation may exist. The threads of a window share this: it is written once, not by each link. */
  void touch() {
    if (!touched) {
      touched = true;
    }
  }
}
