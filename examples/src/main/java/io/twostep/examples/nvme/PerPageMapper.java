package io.twostep.examples.nvme;

import io.twostep.device.nvme.RequestMapper;
import io.twostep.device.nvme.RequestMapping;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaSink;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.RangeKind;
import java.util.ArrayList;
import java.util.List;

/**
 * Maps requests page by page, each with a mapping and an I/O address of its own, as drivers do that have no list: one handle per page is kept until
 * unmap.
 */
public final class PerPageMapper implements RequestMapper {
  private static final long PAGE = 4096;

  /** Create the mapper; ServiceLoader does. */
  public PerPageMapper() {}

  @Override
  public String name() {
    return Strategy.PER_PAGE.text();
  }

  @Override
  public RequestMapping newMapping(DmaMapper mapper, long maxBytes) {
    return new Pages(mapper, Math.toIntExact(maxBytes / PAGE) + 1);
  }

  @Override
  public boolean merges() {
    return false;
  }

  /** The pages of one request slot. */
  private static final class Pages implements RequestMapping {
    private static final int RUN = 16;

    private final DmaMapper mapper;
    private final List<DmaMapping> pages;
    private final long[] runPhys = new long[RUN];
    private final long[] runLength = new long[RUN];
    private int mapped;

    Pages(DmaMapper mapper, int expectedPages) {
      this.mapper = mapper;
      pages = new ArrayList<>(expectedPages);
    }

    @Override
    public long map(PhysRanges source, DmaDirection direction, int attributes, DmaSink sink) {
      mapped = 0;
      try {
        source.rewind();
        for (int count = source.fill(runPhys, runLength); count > 0; count = source.fill(runPhys, runLength)) {
          for (int i = 0; i < count; i++) {
            if (!mapRange(runPhys[i], runLength[i], direction, attributes, sink)) {
              undo();
              return -1;
            }
          }
        }
      } catch (RuntimeException e) {
        undo();
        throw e;
      }
      return mapped;
    }

    private boolean mapRange(long phys, long length, DmaDirection direction, int attributes, DmaSink sink) {
      long at = phys;
      long end = phys + length;
      while (at != end) {
        long size = Math.min(end - at, PAGE - (at & PAGE - 1));
        if (mapped == pages.size()) {
          pages.add(mapper.newMapping());
        }
        DmaMapping page = pages.get(mapped).map(at, size, direction, attributes);
        mapped++;
        if (!sink.accept(page.dmaAddress(), size, RangeKind.LOCAL)) {
          return false;
        }
        at += size;
      }
      return true;
    }

    private void undo() {
      InvalidationBatch batch = mapper.newBatch();
      unmap(batch);
      batch.complete();
    }

    @Override
    public void unmap(InvalidationBatch batch) {
      for (int i = 0; i < mapped; i++) {
        pages.get(i).unmap(batch);
      }
      mapped = 0;
    }

    @Override
    public void close() {
      pages.forEach(DmaMapping::close);
    }
  }
}
