package io.twostep.device.nvme;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaSink;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.RangeKind;

/** Maps requests by two steps: a transfer reserves, links and syncs; one range alone needs no window and is mapped as it is. */
final class TwoStepMapper implements RequestMapper {
  static final TwoStepMapper INSTANCE = new TwoStepMapper();

  private TwoStepMapper() {}

  @Override
  public String name() {
    return "two-step";
  }

  @Override
  public RequestMapping newMapping(DmaMapper mapper, long maxBytes) {
    return new Slot(mapper);
  }

  @Override
  public boolean merges() {
    return true;
  }

  private static final class Slot implements RequestMapping {
    private final DmaTransfer transfer;
    private final DmaMapping mapping;
    private boolean single;

    Slot(DmaMapper mapper) {
      transfer = mapper.newTransfer();
      mapping = mapper.newMapping();
    }

    @Override
    public long map(PhysRanges source, DmaDirection direction, int attributes, DmaSink sink) {
      single = false;
      return transfer.map(source, direction, attributes, sink);
    }

    @Override
    public long mapSingle(
        PhysRanges source, long phys, long length, DmaDirection direction, int attributes, DmaSink sink) {
      mapping.map(phys, length, direction, attributes);
      single = true;
      if (!sink.accept(mapping.dmaAddress(), length, RangeKind.LOCAL)) {
        mapping.unmap();
        return -1;
      }
      return 1;
    }

    @Override
    public void unmap(InvalidationBatch batch) {
      if (single) {
        mapping.unmap(batch);
      } else {
        transfer.unmap(batch);
      }
    }

    @Override
    public void close() {
      transfer.close();
      mapping.close();
    }
  }
}
