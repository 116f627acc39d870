package io.twostep.dma;

import io.twostep.dma.DmaMappingException.Reason;
import org.jspecify.annotations.Nullable;

/** Joins what is contiguous for the device, cuts it to the device's segment limits, and hands the entries to the sink. */
final class EntryEmitter {
  private @Nullable DmaSink sink;
  private String device = "";
  private long maxLength;
  private long boundaryMask;
  private int maxEntries;

  private long openAddress;
  private long openLength;
  private int openKind;
  private long entries;
  private long firstAddress;

  void start(DmaSink sink, String device, DeviceLimits limits) {
    this.sink = sink;
    this.device = device;
    maxLength = limits.maxSegmentLength();
    boundaryMask = limits.segmentBoundaryMask();
    maxEntries = limits.maxSegments();
    openLength = 0;
    entries = 0;
  }

  /** Hand out the only piece of a request, and return how many entries it took. */
  long only(DmaSink sink, String device, DeviceLimits limits, long dmaAddress, long length, int kind) {
    long mask = limits.segmentBoundaryMask();
    if (length > limits.maxSegmentLength() || Long.compareUnsigned(length - 1, mask - (dmaAddress & mask)) > 0) {
      start(sink, device, limits);
      add(dmaAddress, length, kind);
      return finish();
    }
    if (!sink.accept(dmaAddress, length, kind)) {
      throw new SinkRefused(device, 0);
    }
    firstAddress = dmaAddress;
    return 1;
  }

  /** Add a piece of the request; only local pieces are joined, since peers next to each other may still be two devices. */
  void add(long dmaAddress, long length, int kind) {
    if (openLength != 0) {
      if (openAddress + openLength == dmaAddress && (openKind | kind) == RangeKind.LOCAL) {
        openLength += length;
        return;
      }
      flush();
    }
    openAddress = dmaAddress;
    openLength = length;
    openKind = kind;
  }

  /** Add the local pieces {@code from} to {@code to}, if there are any, and return their bytes. */
  long add(long[] dmaAddress, long[] length, int from, int to) {
    if (from == to) {
      return 0;
    }
    add(dmaAddress[from], length[from], RangeKind.LOCAL);
    long address = openAddress;
    long joined = openLength;
    long bytes = length[from];
    for (int i = from + 1; i < to; i++) {
      if (address + joined == dmaAddress[i]) {
        joined += length[i];
      } else {
        give(address, joined);
        address = dmaAddress[i];
        joined = length[i];
      }
      bytes += length[i];
    }
    openAddress = address;
    openLength = joined;
    return bytes;
  }

  /** Hand out a local entry; what takes more than one is cut elsewhere. */
  private void give(long address, long length) {
    DmaSink to = sink;
    long toBoundary = boundaryMask - (address & boundaryMask);
    if (to == null || length > maxLength || Long.compareUnsigned(length - 1, toBoundary) > 0 || entries == maxEntries) {
      openAddress = address;
      openLength = length;
      flush();
      return;
    }
    // Nearly every entry of a request that nothing translates comes here. The call is its own, so that it is compiled for the sinks of such requests.
    if (!to.accept(address, length, RangeKind.LOCAL)) {
      throw new SinkRefused(device, entries);
    }
    if (entries++ == 0) {
      firstAddress = address;
    }
  }

  /** Hand out what is still open and return how many entries there were. */
  long finish() {
    if (openLength != 0) {
      flush();
    }
    return entries;
  }

  /** Return the address of the first entry, if there was one. */
  long firstAddress() {
    return firstAddress;
  }

  /** Forget the sink, so that it is not kept reachable. */
  void forget() {
    sink = null;
  }

  private void flush() {
    long address = openAddress;
    long left = openLength;
    openLength = 0;
    while (left > 0) {
      // Bytes to the boundary, minus one, so that an all-ones mask does not overflow.
      long toBoundary = boundaryMask - (address & boundaryMask);
      long piece = Math.min(left, maxLength);
      if (Long.compareUnsigned(piece - 1, toBoundary) > 0) {
        piece = toBoundary + 1;
      }
      emit(address, piece);
      address += piece;
      left -= piece;
    }
  }

  private void emit(long address, long length) {
    DmaSink to = sink;
    if (to == null) {
      throw new IllegalStateException("not started");
    }
    if (entries == maxEntries) {
      throw new DmaMappingException(
          Reason.OUT_OF_BOUNDS,
          device + ": the request needs more than the " + maxEntries + " entries the device takes; split it");
    }
    if (!to.accept(address, length, openKind)) {
      throw new SinkRefused(device, entries);
    }
    if (entries++ == 0) {
      firstAddress = address;
    }
  }
}
