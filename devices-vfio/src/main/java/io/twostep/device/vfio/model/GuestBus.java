package io.twostep.device.vfio.model;

import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;

/** The device's way to its guest's memory, and to what peers its guest may write to: adds the base of each, keeps within its length, notes what is written to the guest. */
final class GuestBus {
  private final BusMaster bus;
  private final WriteLog log;
  long base;
  long length;
  long peerBase;
  long peerLength;

  GuestBus(BusMaster bus, WriteLog log) {
    this.bus = bus;
    this.log = log;
  }

  private boolean isInside(long address, long count) {
    return isInside(address, count, length);
  }

  private static boolean isInside(long address, long count, long length) {
    return address >= 0 && count <= length && address <= length - count;
  }

  int read(long address, MemorySegment target, long offset, long count) {
    return isInside(address, count) ? bus.read(base + address, target, offset, count) : BusMaster.UNSUPPORTED_REQUEST;
  }

  int write(long address, MemorySegment source, long offset, long count) {
    if (!isInside(address, count)) {
      return BusMaster.UNSUPPORTED_REQUEST;
    }
    log.note(address, count);
    return bus.write(base + address, source, offset, count);
  }

  /** Write to peers, by an address relative to theirs: a guest reaches nothing else that is mapped for the device, as its host's buffers are. */
  int post(long address, MemorySegment source, long count) {
    return isInside(address, count, peerLength) ? bus.write(peerBase + address, source, 0, count) : BusMaster.UNSUPPORTED_REQUEST;
  }

  /** Forget guest and peers. */
  void clear() {
    base = 0;
    length = 0;
    peerBase = 0;
    peerLength = 0;
  }
}
