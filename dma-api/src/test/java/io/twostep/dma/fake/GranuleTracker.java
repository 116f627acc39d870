package io.twostep.dma.fake;

import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.spi.DirtyTracker;
import java.util.TreeSet;

/** Remembers the granules a device wrote while somebody tracks. */
final class GranuleTracker implements DirtyTracker {
  private final long granule;
  private final Faults faults;
  private final TreeSet<Long> dirty = new TreeSet<>();
  private boolean tracking;

  GranuleTracker(long granule, Faults faults) {
    this.granule = granule;
    this.faults = faults;
  }

  void written(long dmaAddress) {
    if (tracking) {
      dirty.add(dmaAddress & -granule);
    }
  }

  @Override
  public long granularity() {
    return granule;
  }

  @Override
  public void start() {
    if (tracking) {
      throw new IllegalStateException("tracked already");
    }
    faults.hit("track");
    tracking = true;
  }

  @Override
  public void stop() {
    if (tracking) {
      tracking = false;
      dirty.clear();
      faults.hit("untrack");
    }
  }

  @Override
  public void read(boolean clear, DirtyBitmap bitmap) {
    if (!tracking) {
      throw new AssertionError("read without tracking");
    }
    for (long granuleOf : dirty) {
      bitmap.mark(granuleOf, granule);
    }
    if (clear) {
      dirty.subSet(bitmap.first(), bitmap.first() + bitmap.length()).clear();
    }
  }
}
