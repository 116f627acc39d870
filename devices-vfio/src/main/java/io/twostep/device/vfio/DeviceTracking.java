package io.twostep.device.vfio;

import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.dirty.DirtySource;
import io.twostep.device.vfio.dirty.TrackedRanges;
import io.twostep.device.vfio.dirty.TrackedRanges.Range;
import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.device.vfio.wire.Opcode;
import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapper;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Has the device note what it writes, and fetches its notes through a ring of page addresses in host memory. */
final class DeviceTracking implements DirtySource {
  private static final int MOST_RANGES = 8;

  private final DmaMapper mapper;
  private final DeviceCommands commands;
  private final List<Range> ranges;
  private final long pageSize;
  private final int ringEntries;
  private @Nullable DmaBuffer ring;

  DeviceTracking(DmaMapper mapper, DeviceCommands commands, List<Range> ranges, long pageSize, int ringEntries) {
    this.mapper = mapper;
    this.commands = commands;
    this.ranges = TrackedRanges.atMost(MOST_RANGES, ranges);
    this.pageSize = pageSize;
    this.ringEntries = ringEntries;
  }

  @Override
  public void start() {
    if (ring != null) {
      throw new IllegalStateException(mapper.slot().address() + ": start(): the device is tracking already");
    }
    DmaBuffer memory = mapper.allocateCoherent((long) ringEntries * Long.BYTES + ranges.size() * 16L);
    try {
      long at = (long) ringEntries * Long.BYTES;
      MemorySegment words = memory.segment();
      for (int i = 0; i < ranges.size(); i++) {
        words.set(CommandLayout.U64, at + i * 16L, ranges.get(i).first());
        words.set(CommandLayout.U64, at + i * 16L + Long.BYTES, ranges.get(i).length());
      }
      commands.run("start tracking", Opcode.TRACK_CREATE, pageSize, memory.dmaAddress(), ringEntries, memory.dmaAddress() + at, ranges.size());
      ring = memory;
    } catch (RuntimeException e) {
      commands.letGo(memory);
      throw e;
    }
  }

  @Override
  public void collect(DirtyBitmap into) {
    DmaBuffer notes = ring;
    if (notes == null) {
      throw new IllegalStateException(mapper.slot().address() + ": collect(): not tracking; call start() first");
    }
    for (Range range : ranges) {
      collect(range, notes.segment(), into);
    }
  }

  /** A device that never comes to an end is not believed: then all counts as written. */
  private void collect(Range range, MemorySegment notes, DirtyBitmap into) {
    long most = 2 + range.length() / pageSize;
    for (long reports = 0; reports < most; reports++) {
      commands.run("report", Opcode.TRACK_REPORT, range.first(), range.length());
      long count = commands.result(0);
      long how = commands.result(1);
      requireSense(count, how);
      take(notes, count, into);
      if (how == 0) {
        return;
      }
      if (how == Opcode.OVERFLOW) {
        markAll(into);
      }
    }
    markAll(into);
  }

  private void markAll(DirtyBitmap into) {
    ranges.forEach(all -> into.mark(all.first(), all.length()));
  }

  private void requireSense(long count, long how) {
    if (count < 0 || count > ringEntries || (how != 0 && how != Opcode.MORE && how != Opcode.OVERFLOW)) {
      throw new MigrationException(
          Kind.DEVICE, mapper.slot().address() + ": report: says " + Long.toUnsignedString(count) + " notes in a ring of " + ringEntries + ", how 0x" + Long.toHexString(how) + "; its notes are of no use");
    }
  }

  /** What lies outside the guest is not marked. */
  private void take(MemorySegment notes, long count, DirtyBitmap into) {
    for (long i = 0; i < count; i++) {
      into.mark(notes.get(CommandLayout.U64, i * Long.BYTES), pageSize);
    }
  }

  @Override
  public void stop() {
    DmaBuffer memory = ring;
    if (memory != null) {
      ring = null;
      try {
        commands.run("stop tracking", Opcode.TRACK_DESTROY);
      } finally {
        commands.letGo(memory);
      }
    }
  }

  /** The device was reset, and notes nothing more. */
  void forget() {
    DmaBuffer memory = ring;
    if (memory != null) {
      ring = null;
      memory.close();
    }
  }

  @Override
  public String by() {
    return "device";
  }
}
