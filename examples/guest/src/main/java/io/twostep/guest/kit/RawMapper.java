package io.twostep.guest.kit;

import io.twostep.device.nvme.RequestMapper;
import io.twostep.device.nvme.RequestMapping;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaSink;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.RangeKind;

/** Takes the addresses of requests for DMA addresses and maps nothing: how a driver becomes a probe. */
final class RawMapper implements RequestMapper {
  @Override
  public String name() {
    return "raw";
  }

  @Override
  public RequestMapping newMapping(DmaMapper mapper, long maxBytes) {
    return new Slot();
  }

  @Override
  public boolean merges() {
    return false;
  }

  private static final class Slot implements RequestMapping {
    private final long[] address = new long[1];
    private final long[] length = new long[1];

    @Override
    public long map(PhysRanges source, DmaDirection direction, int attributes, DmaSink sink) {
      source.rewind();
      long taken = 0;
      while (source.fill(address, length) != 0) {
        if (!sink.accept(address[0], length[0], RangeKind.LOCAL)) {
          return -1;
        }
        taken++;
      }
      return taken;
    }

    @Override
    public void unmap(InvalidationBatch batch) {}

    @Override
    public void close() {}
  }
}
