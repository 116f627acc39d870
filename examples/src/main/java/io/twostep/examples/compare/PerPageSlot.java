package io.twostep.examples.compare;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaSink;
import io.twostep.dma.RangeKind;
import java.util.ArrayList;
import java.util.List;

/** A mapping for every page, kept until unmap, each taken down by itself. */
final class PerPageSlot implements RequestSlot {
  private static final int RUN = 16;

  private final DmaMapper mapper;
  private final DmaDirection direction;
  private final List<DmaMapping> pages;
  private final long[] runPhys = new long[RUN];
  private final long[] runLength = new long[RUN];
  private int mapped;

  PerPageSlot(DmaMapper mapper, DmaDirection direction, long maxBytes) {
    this.mapper = mapper;
    this.direction = direction;
    pages = new ArrayList<>(Math.toIntExact(Layout.pages(maxBytes)) + 1);
  }

  @Override
  public void map(Request request, DmaSink sink) {
    try {
      request.rewind();
      for (int count = request.fill(runPhys, runLength); count > 0; count = request.fill(runPhys, runLength)) {
        for (int i = 0; i < count; i++) {
          mapRange(runPhys[i], runLength[i], sink);
        }
      }
    } catch (RuntimeException e) {
      unmap();
      throw e;
    }
  }

  private void mapRange(long phys, long length, DmaSink sink) {
    long at = phys;
    long end = phys + length;
    while (at != end) {
      long size = Math.min(end - at, Layout.PAGE - (at & Layout.PAGE - 1));
      if (mapped == pages.size()) {
        pages.add(mapper.newMapping());
      }
      DmaMapping page = pages.get(mapped).map(at, size, direction, DmaAttributes.NONE);
      mapped++;
      sink.accept(page.dmaAddress(), size, RangeKind.LOCAL);
      at += size;
    }
  }

  @Override
  public void unmap() {
    for (int i = 0; i < mapped; i++) {
      pages.get(i).unmap();
    }
    mapped = 0;
  }

  @Override
  public void close() {
    pages.forEach(DmaMapping::close);
  }
}
