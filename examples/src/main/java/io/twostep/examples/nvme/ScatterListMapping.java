package io.twostep.examples.nvme;

import io.twostep.device.nvme.RequestMapping;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaSink;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.RangeKind;
import java.util.ArrayList;
import java.util.List;

/** One request slot mapped through a scatter list. */
final class ScatterListMapping implements RequestMapping {
  private final DmaMapper mapper;
  private final ScatterList list;
  private final IovaReservation window;
  private final List<DmaMapping> singles;
  private final long alignMask;
  private final boolean translates;
  private final long maxSegment;
  private boolean windowed;

  ScatterListMapping(DmaMapper mapper, int expectedEntries) {
    this.mapper = mapper;
    list = new ScatterList(expectedEntries);
    singles = new ArrayList<>(mapper.limits().translates() ? 0 : expectedEntries);
    window = mapper.newReservation();
    DmaLimits limits = mapper.limits();
    translates = limits.translates();
    alignMask = limits.mergeBoundaryMask();
    maxSegment = limits.device().maxSegmentLength();
  }

  @Override
  public long map(PhysRanges source, DmaDirection direction, int attributes, DmaSink sink) {
    list.take(source);
    windowed = false;
    try {
      if (translates) {
        mapWindow(direction, attributes);
      } else {
        mapSingles(direction, attributes);
      }
    } catch (RuntimeException e) {
      undo();
      throw e;
    }
    for (int i = 0; i < list.mapped; i++) {
      if (!sink.accept(list.dmaAddress[i], list.dmaLength[i], RangeKind.LOCAL)) {
        undo();
        return -1;
      }
    }
    return list.mapped;
  }

  /** First pass: lay the entries out, each at its own offset within a granule. Second pass: link one by one. */
  private void mapWindow(DmaDirection direction, int attributes) {
    long start = list.phys[0] & alignMask;
    long end = 0;
    for (int i = 0; i < list.entries; i++) {
      end = position(end, list.phys[i]) + list.length[i];
    }
    windowed = window.tryAlloc(list.phys[0], end - start, alignMask + 1, -1L, direction, attributes, false);
    if (!windowed) {
      throw new IllegalStateException(mapper.slot().address() + ": the stack translates and gave no window");
    }
    long at = 0;
    for (int i = 0; i < list.entries; i++) {
      at = position(at, list.phys[i]);
      long address = window.link(at - start, list.phys[i], list.length[i]);
      list.place(address, list.length[i], list.mapped != 0 && list.dmaLength[list.mapped - 1] + list.length[i] <= maxSegment);
      at += list.length[i];
    }
    publish();
  }

  /** Sync what is linked; the holes between entries hold nothing. */
  private void publish() {
    for (int i = 0; i < list.mapped; i++) {
      window.sync(list.dmaAddress[i] - window.address(), list.dmaLength[i]);
    }
  }

  /** No entry begins in the granule that another one ends in, even where both are adjacent in memory: a granule is linked once. */
  private long position(long end, long phys) {
    return (end + alignMask & ~alignMask) + (phys & alignMask);
  }

  private void mapSingles(DmaDirection direction, int attributes) {
    for (int i = 0; i < list.entries; i++) {
      if (i == singles.size()) {
        singles.add(mapper.newMapping());
      }
      DmaMapping single = singles.get(i).map(list.phys[i], list.length[i], direction, attributes);
      list.place(single.dmaAddress(), list.length[i], false);
    }
  }

  private void undo() {
    InvalidationBatch batch = mapper.newBatch();
    unmap(batch);
    batch.complete();
  }

  @Override
  public void unmap(InvalidationBatch batch) {
    if (windowed) {
      windowed = false;
      window.destroy(batch);
    } else {
      for (int i = 0; i < list.mapped; i++) {
        singles.get(i).unmap(batch);
      }
    }
    list.mapped = 0;
  }

  @Override
  public void close() {
    window.close();
    singles.forEach(DmaMapping::close);
  }
}
