package io.twostep.dma.fake;

import io.twostep.dma.spi.Invalidator;

/**
 * One address space as two arrays of granules: what the backend wrote, and what the device sees, which follows only when told to.
 *
 * <p>A word is a granule's physical address with the permission in the low bits; 0 is absent.
 */
final class GranuleTable implements Invalidator, DeviceView {
  static final int GRANULES = 1 << 14;

  final long granule;
  final int shift;
  final long[] written = new long[GRANULES];
  final long[] visible = new long[GRANULES];
  final int[] runs = new int[GRANULES];
  final FakeIova iova = new FakeIova(GRANULES);
  private final Faults faults;
  long invalidations;
  final GranuleTracker tracker;

  GranuleTable(long granule, Faults faults) {
    this.granule = granule;
    this.shift = Long.numberOfTrailingZeros(granule);
    this.faults = faults;
    this.tracker = new GranuleTracker(granule, faults);
  }

  @Override
  public void written(long dmaAddress) {
    tracker.written(dmaAddress);
  }

  int index(long iovaAddress) {
    return (int) (iovaAddress >>> shift);
  }

  @Override
  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
    faults.hit("invalidate");
    invalidations++;
    for (int i = index(firstIova); i <= index(lastIova); i++) {
      if (visible[i] != 0) {
        visible[i] = written[i];
      }
    }
  }

  @Override
  public long phys(long dmaAddress, int access) {
    long at = dmaAddress >>> shift;
    if (at < 0 || at >= GRANULES) {
      return NOTHING;
    }
    long word = visible[(int) at];
    if (word == 0 || (word & access) != access) {
      return NOTHING;
    }
    return (word & -granule) | (dmaAddress & granule - 1);
  }
}
