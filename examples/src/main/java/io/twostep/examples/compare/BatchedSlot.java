package io.twostep.examples.compare;

import io.twostep.device.nvme.RequestMapper;
import io.twostep.device.nvme.RequestMapping;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaSink;
import io.twostep.dma.InvalidationBatch;

/** A request mapped by a driver's mapper, and taken down with one invalidation. */
final class BatchedSlot implements RequestSlot {
  private final RequestMapping mapping;
  private final InvalidationBatch batch;
  private final DmaDirection direction;

  BatchedSlot(RequestMapper by, DmaMapper mapper, DmaDirection direction, long maxBytes) {
    this.direction = direction;
    mapping = by.newMapping(mapper, maxBytes);
    batch = mapper.newBatch();
  }

  @Override
  public void map(Request request, DmaSink sink) {
    if (mapping.map(request, direction, DmaAttributes.NONE, sink) < 0) {
      throw new IllegalStateException("the sink refused an entry");
    }
  }

  @Override
  public void unmap() {
    mapping.unmap(batch);
    batch.complete();
  }

  @Override
  public void close() {
    mapping.close();
  }
}
