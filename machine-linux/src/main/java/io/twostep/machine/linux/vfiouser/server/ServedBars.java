package io.twostep.machine.linux.vfiouser.server;

import io.twostep.dma.spi.DeviceModel;
import io.twostep.dma.spi.DeviceModel.BarSpec;
import io.twostep.dma.spi.DeviceSlot.Bar;
import io.twostep.machine.linux.vfiouser.protocol.Bytes;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The model's BARs, and one more for the MSI-X table if it has vectors and an index is free; accesses to them.
 *
 * <p>The table itself means nothing: a client gets its interrupts by eventfd. It reads zero.
 */
final class ServedBars {
  private static final int TABLE_ENTRY = 16;
  private static final long SMALLEST = 4096;
  private static final long LARGEST_32 = 1L << 31;

  private final DeviceModel model;
  private final List<BarSpec> bars;
  private final int tableBar;
  private final int pendingOffset;

  /** Lay out a model's BARs; throws {@link IllegalArgumentException} for a 64-bit one that has no second index. */
  ServedBars(DeviceModel model) {
    this.model = model;
    bars = new ArrayList<>(model.bars());
    while (bars.size() < RegionIndex.BARS) {
      bars.add(BarSpec.NONE);
    }
    for (int i = 0; i < bars.size(); i++) {
      if (isWide(bars.get(i)) && (i + 1 == bars.size() || bars.get(i + 1).kind() != Bar.Kind.NONE)) {
        throw new IllegalArgumentException("BAR " + i + " of " + bars.get(i).length() + " bytes is a 64-bit BAR and needs the next index free");
      }
    }
    int vectors = model.vectors();
    pendingOffset = vectors * TABLE_ENTRY + 2047 & -2048;
    tableBar = vectors == 0 ? -1 : lastFree();
    if (tableBar >= 0) {
      long bytes = pendingOffset + (vectors + 63L) / 64 * 8;
      bars.set(tableBar, new BarSpec(Bar.Kind.REGISTERS, Math.max(SMALLEST, Long.highestOneBit(bytes * 2 - 1))));
    }
  }

  private int lastFree() {
    int index = bars.size() - 1;
    while (index >= 0 && (bars.get(index).kind() != Bar.Kind.NONE || (index > 0 && isWide(bars.get(index - 1))))) {
      index--;
    }
    return index;
  }

  /** Tell whether a BAR is a 64-bit one, which takes two indices. */
  static boolean isWide(BarSpec bar) {
    return bar.length() > LARGEST_32;
  }

  List<BarSpec> all() {
    return bars;
  }

  int tableBar() {
    return tableBar;
  }

  int pendingOffset() {
    return pendingOffset;
  }

  /** Read part of a BAR, which lies inside, to {@code at}. */
  void read(int bar, long offset, MemorySegment to, long at, long count) {
    if (bar == tableBar) {
      to.asSlice(at, count).fill((byte) 0);
    } else if (bars.get(bar).kind() == Bar.Kind.MEMORY) {
      MemorySegment.copy(model.memory(bar), offset, to, at, count);
    } else {
      int width = requireWidth(bar, offset, count);
      Bytes.number(to, at, width, model.read(bar, offset, width));
    }
  }

  /** Write part of a BAR, which lies inside, from {@code at}. */
  void write(int bar, long offset, MemorySegment from, long at, long count) {
    if (bar == tableBar) {
      return;
    }
    if (bars.get(bar).kind() == Bar.Kind.MEMORY) {
      MemorySegment.copy(from, at, model.memory(bar), offset, count);
    } else {
      int width = requireWidth(bar, offset, count);
      model.write(bar, offset, width, Bytes.number(from, at, width));
    }
  }

  private static int requireWidth(int bar, long offset, long count) {
    if ((count != 4 && count != 8) || (offset & (count - 1)) != 0) {
      throw new ProtocolException("access of %d bytes at 0x%x of the registers of BAR %d: 4 or 8, aligned".formatted(count, offset, bar));
    }
    return (int) count;
  }
}
