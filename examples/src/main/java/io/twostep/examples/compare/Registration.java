package io.twostep.examples.compare;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaSink;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.RangeKind;
import java.util.Arrays;

/** All buffers mapped at once, and where in the device's addresses each of their bytes is. */
final class Registration implements AutoCloseable {
  private final DmaTransfer transfer;
  private long[] address = new long[16];

  /** Where each entry begins in the buffers' bytes, and one more: their end. */
  private long[] offset = new long[17];

  private int entries;

  /** Heap bytes of lists that became too small. */
  private long outgrown;

  /** Register what {@code all} describes, from the first byte of the buffers on. */
  Registration(DmaMapper mapper, Request all, DmaDirection direction) {
    transfer = mapper.newTransfer();
    try {
      transfer.map(all, direction, DmaAttributes.NONE, (at, length, kind) -> add(at, length));
    } catch (RuntimeException e) {
      transfer.close();
      throw e;
    }
    outgrown += heapBytes();
    address = Arrays.copyOf(address, entries);
    offset = Arrays.copyOf(offset, entries + 1);
  }

  private boolean add(long at, long length) {
    if (entries == address.length) {
      outgrown += heapBytes();
      address = Arrays.copyOf(address, 2 * entries);
      offset = Arrays.copyOf(offset, 2 * entries + 1);
    }
    address[entries++] = at;
    offset[entries] = offset[entries - 1] + length;
    return true;
  }

  private long heapBytes() {
    return (long) Long.BYTES * (address.length + offset.length);
  }

  /** Hand over where a request lies. */
  void entriesOf(Request request, DmaSink sink) {
    int found = Arrays.binarySearch(offset, 0, entries, request.offset);
    int entry = found >= 0 ? found : -found - 2;
    long at = request.offset;
    long end = request.offset + request.length;
    while (at < end) {
      long piece = Math.min(end, offset[entry + 1]) - at;
      sink.accept(address[entry] + (at - offset[entry]), piece, RangeKind.LOCAL);
      at += piece;
      entry++;
    }
  }

  /** Return what stays of the heap bytes that registering took, once the lists it outgrew are gone. */
  long kept(long allocated) {
    return allocated - outgrown;
  }

  /** Unmap the buffers. */
  @Override
  public void close() {
    transfer.unmap();
    transfer.close();
  }

  /** A request of registered memory: there is nothing to map. */
  record Slot(Registration registration) implements RequestSlot {
    @Override
    public void map(Request request, DmaSink sink) {
      registration.entriesOf(request, sink);
    }

    @Override
    public void unmap() {}

    @Override
    public void close() {}
  }
}
