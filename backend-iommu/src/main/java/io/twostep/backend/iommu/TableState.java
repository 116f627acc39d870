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
  /** After so many requests in a row by one thread a handle keeps its addresses. */
  static final int SETTLED = 4;

  final TableSpace space;
  final LeafCursor cursor = new LeafCursor();
  final TablePages detached = new TablePages();

  /** The way to the pages of a window of single pages; null otherwise. */
  @Nullable PageWindow window;

  /** What keeps the addresses given back last; null until the handle has settled once, and where flushes are deferred. */
  private @Nullable KeptRange kept;

  /** The number of the thread that asked for addresses last. */
  private long thread;

  /** How often in a row it did, as far as that matters. */
  private int requests;

  /** First address of the allocation. */
  long base;

  /** Whether a translation of the range may have existed since it was reserved, or tables been built for one. */
  boolean touched;

  /** The granules of this reservation that are linked in part; only devices that do not snoop need them. */
  final PartialGranules partials = new PartialGranules();

  TableState(TableSpace space) {
    this.space = space;
  }

  /**
   * Note that the calling thread asks for addresses, and return what keeps them for the handle, if it has settled on this thread.
   *
   * <p>Threads get addresses apart from one another's, lest they share cache lines of tables and records; a handle that goes from thread to thread must not carry those of one to the next.
   */
  @Nullable KeptRange keeper() {
    long asks = Thread.currentThread().threadId();
    if (thread != asks) {
      thread = asks;
      requests = 0;
      giveUp();
    } else if (requests < SETTLED && ++requests == SETTLED && kept == null && space.queue == null) {
      kept = space.iova.newKeptRange();
    }
    return settledKeeper();
  }

  /** Return what keeps the addresses that the handle gives back; null if they go to the caches. */
  @Nullable KeptRange settledKeeper() {
    return requests == SETTLED ? kept : null;
  }

  private void giveUp() {
    KeptRange own = kept;
    if (own != null) {
      space.iova.giveUp(own);
    }
  }

  /** Have the addresses that are kept given back: nobody asks again. */
  void forgetAddresses() {
    KeptRange gone = kept;
    if (gone != null) {
      space.iova.forget(gone);
      kept = null;
    }
    requests = 0;
  }

  /** Note that a translation may exist. The threads of a window share this: it is written once, not by each link. */
  void touch() {
    if (!touched) {
      touched = true;
    }
  }
}
