package io.twostep.device.nvme;

import io.twostep.dma.DmaSink;

/**
 * Hands DMA ranges on, those in the controller's own memory buffer by the address that the controller decodes instead of its bus address.
 *
 * <p>Addresses alone tell: no memory has an address inside a BAR on its bus.
 */
final class OwnBufferSink implements DmaSink {
  private final DmaSink next;
  private final long busAddress;
  private final long length;
  private final long shift;

  private OwnBufferSink(DmaSink next, ControllerMemoryBuffer buffer) {
    this.next = next;
    busAddress = buffer.busAddress();
    length = buffer.length();
    shift = buffer.controllerAddress() - busAddress;
  }

  /** Wrap {@code sink} for a controller that knows its buffer by another address than its peers do; else return it. */
  static DmaSink of(DmaSink sink, ControllerCore core) {
    ControllerMemoryBuffer buffer = core.memoryBuffer();
    return buffer == null || buffer.controllerAddress() == buffer.busAddress() ? sink : new OwnBufferSink(sink, buffer);
  }

  @Override
  public boolean accept(long dmaAddress, long bytes, int kind) {
    long offset = dmaAddress - busAddress;
    boolean own = Long.compareUnsigned(offset, length) < 0;
    return next.accept(own ? dmaAddress + shift : dmaAddress, bytes, kind);
  }
}
