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

  void add(long phys, long length, int kind) {
    if (ranges != 0) {
      gapMask |= previousEnd | phys;
    }
    previousEnd = phys + length;
    bytes = Math.addExact(bytes, length);
    ranges++;
    kinds |= 1 << kind;
    if (kind != RangeKind.BUS_PEER) {
      windowed++;
    }
    maxEntries++;
    if (length > maxLength) {
      maxEntries += (length - 1) / maxLength;
    }
    if (boundaryMask != -1L) {
      // Wherever the range lands, it meets a boundary at most once more than its length holds whole ones.
      maxEntries += ((length - 1) >>> boundaryShift) + 1;
    }
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
