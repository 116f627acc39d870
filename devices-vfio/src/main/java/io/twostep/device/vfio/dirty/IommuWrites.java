package io.twostep.device.vfio.dirty;

import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DirtyTracking;
import io.twostep.dma.SparseWindow;
import java.util.List;

/** Takes what the IOMMU notes at the I/O addresses of a guest's window. Writes that pass no translation are invisible to it: a stack that hands out bus addresses has no tracking. */
public final class IommuWrites implements DirtySource {
  private static final long PAGE = 4096;

  private final DirtyTracking tracking;
  private final long first;
  private final DirtyBitmap written;
  private final List<IommuWrites> others;

  /**
   * Create a source; the window's first byte is guest address 0.
   *
   * @param others those that are asked together with it: an address space that one of them tracks is tracked by both
   */
  public IommuWrites(DirtyTracking tracking, SparseWindow window, List<IommuWrites> others) {
    this.tracking = tracking;
    this.others = List.copyOf(others);
    first = window.address();
    written = new DirtyBitmap(first, window.length(), PAGE);
  }

  @Override
  public void start() {
    for (IommuWrites other : others) {
      if (tracking.tryJoin(other.tracking)) {
        return;
      }
    }
    tracking.start();
  }

  @Override
  public void collect(DirtyBitmap into) {
    written.clear();
    tracking.readAndClear(written);
    long end = first + written.length();
    for (long page = written.nextDirty(first); page != DirtyBitmap.NONE; page = page + PAGE == end ? DirtyBitmap.NONE : written.nextDirty(page + PAGE)) {
      into.mark(page - first, PAGE);
    }
  }

  @Override
  public void stop() {
    tracking.stop();
  }

  @Override
  public String by() {
    return "iommu";
  }
}
