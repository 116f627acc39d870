package io.twostep.device.rdma.rw;

import io.twostep.device.rdma.umem.DmaExtents;
import org.jspecify.annotations.Nullable;

/** Cuts DMA ranges into what one work request each takes: so many ranges, so many bytes. Knows nothing but numbers; reusable. */
final class RequestCuts {
  private DmaExtents extents = new DmaExtents();
  private int rangeLimit;
  private long byteLimit;
  private int extent;
  private long offset;
  private long bytes;

  /** Begin with the first byte of {@code extents}. */
  RequestCuts start(DmaExtents of, int mostRanges, long mostBytes) {
    extents = of;
    rangeLimit = mostRanges;
    byteLimit = mostBytes;
    extent = 0;
    offset = 0;
    return this;
  }

  /** Return how many requests there are from here on, all of which are taken. */
  int count() {
    int requests = 0;
    while (next(null)) {
      requests++;
    }
    return requests;
  }

  /** Take the next request's ranges; false if there are no more. */
  boolean next(@Nullable RangeSink sink) {
    if (extent == extents.count()) {
      return false;
    }
    bytes = 0;
    for (int ranges = 0; extent < extents.count() && ranges < rangeLimit && bytes < byteLimit; ranges++) {
      long left = extents.length(extent) - offset;
      long taken = Math.min(left, byteLimit - bytes);
      if (sink != null) {
        sink.range(extents.dmaAddress(extent) + offset, taken);
      }
      bytes += taken;
      if (taken < left) {
        offset += taken;
      } else {
        extent++;
        offset = 0;
      }
    }
    return true;
  }

  /** Tell whether nothing is left. */
  boolean isLast() {
    return extent == extents.count();
  }

  /** Return the request's bytes. */
  long bytes() {
    return bytes;
  }
}
