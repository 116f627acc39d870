package io.twostep.dma;

/** What a request will be like, known before anything is mapped; see {@link DmaTransfer#plan}. */
public final class TransferPlan {
  private long bytes;
  private long ranges;
  private long windowed;
  private long maxEntries;
  private long gapMask;
  private int kinds;
  private boolean oneWindow;

  private long previousEnd;
  private long maxLength;
  private long boundaryMask;
  private int boundaryShift;

  TransferPlan() {}

  void start(DeviceLimits limits) {
    bytes = 0;
    ranges = 0;
    windowed = 0;
    maxEntries = 0;
    gapMask = 0;
    kinds = 0;
    oneWindow = false;
    maxLength = limits.maxSegmentLength();
    boundaryMask = limits.segmentBoundaryMask();
    boundaryShift = Long.bitCount(boundaryMask);
  }

  /** Add a run of local ranges by what is known of it; false, with nothing added, if that is not enough to tell its entries. */
  boolean tryAddStretch(long[] phys, long[] length, int count, long runBytes, long innerEdges) {
    if (boundaryMask != -1L || runBytes > maxLength) {
      return false;
    }
    bytes = Math.addExact(bytes, runBytes);
    gapMask |= innerEdges | (ranges == 0 ? 0 : previousEnd | phys[0]);
    previousEnd = phys[count - 1] + length[count - 1];
    kinds |= 1 << RangeKind.LOCAL;
    ranges += count;
    windowed += count;
    maxEntries += count;
    return true;
  }

  /** Add a run of ranges. */
  void add(long[] phys, long[] length, int[] kind, int count) {
    long end = previousEnd;
    long edges = gapMask;
    long sum = bytes;
    long cuts = 0;
    int seen = kinds;
    int buses = 0;
    boolean cut = boundaryMask != -1L;
    long longest = maxLength;
    long before = ranges;
    for (int i = 0; i < count; i++) {
      long first = phys[i];
      long here = length[i];
      if (before + i != 0) {
        edges |= end | first;
      }
      end = first + here;
      sum = Math.addExact(sum, here);
      seen |= 1 << kind[i];
      buses += kind[i] == RangeKind.BUS_PEER ? 1 : 0;
      if (here > longest) {
        cuts += (here - 1) / longest;
      }
      if (cut) {
        // Wherever the range lands, it meets a boundary at most once more than its length holds whole ones.
        cuts += ((here - 1) >>> boundaryShift) + 1;
      }
    }
    previousEnd = end;
    gapMask = edges;
    bytes = sum;
    kinds = seen;
    windowed += count - buses;
    ranges += count;
    maxEntries += count + cuts;
  }

  void end(boolean translates, int stretches) {
    oneWindow = ranges <= 1 || (translates && stretches == 1 && windowed == ranges);
  }

  /** Return how many ranges are not reached by bus address. */
  long windowed() {
    return windowed;
  }

  /** Return the bytes of the request. */
  public long bytes() {
    return bytes;
  }

  /** Return how many ranges there are after adjacent ones of one region were joined. */
  public long ranges() {
    return ranges;
  }

  /** Return the most entries the sink may be given. */
  public long maxEntries() {
    return maxEntries;
  }

  /** Return the bits in which any inner edge differs from 0: an alignment fits all inner edges iff {@code gapMask & (alignment - 1)} is 0. */
  public long gapMask() {
    return gapMask;
  }

  /** Return which {@link RangeKind}s occur, as bits {@code 1 << kind}. */
  public int kinds() {
    return kinds;
  }

  /** Tell whether the request will be one contiguous range for the device, before it is cut to segment limits. */
  public boolean isOneWindow() {
    return oneWindow;
  }
}
