package io.twostep.device.vfio.model;

import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;

/** The device's way to its guest's memory: adds the guest's base, keeps within its length, notes what is written. */
final class GuestBus {
  private final BusMaster bus;
  private final WriteLog log;
  long base;
  long length;

  GuestBus(BusMaster bus, WriteLog log) {
    this.bus = bus;
    this.log = log;
  }

  private boolean isInside(long address, long count) {
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

  /** Write to a peer by its own DMA address; one that is guest memory after all is noted as such. */
  int post(long dmaAddress, MemorySegment source, long count) {
    if (isInside(dmaAddress - base, count)) {
      log.note(dmaAddress - base, count);
    }
    return bus.write(dmaAddress, source, 0, count);
  }
}
