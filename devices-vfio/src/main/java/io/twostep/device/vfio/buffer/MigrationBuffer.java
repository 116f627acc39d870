package io.twostep.device.vfio.buffer;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Pages that a device saves its state into, or loads it from: as many as are needed, wherever they are free, for the device one range of I/O addresses.
 *
 * <p>While mapped it is the device's from {@link #handOver} to {@link #takeOver}, the CPU's otherwise. It can grow, and keeps its pages and its mapping from use to use. Used by one thread at a time.
 */
public final class MigrationBuffer implements AutoCloseable {
  /** Pages that it asks the machine for at a time. */
  private static final long RUN_PAGES = 16;

  private final DmaMapper mapper;
  private final PhysicalMemory memory;
  private final PageList list = new PageList();
  /** Its own pages, by the offset of their first byte. */
  private final TreeMap<Long, MemoryBlock> starts = new TreeMap<>();
  private final BufferMapping mapping;

  /** Create a buffer without pages for a device; they will be of the device's machine. */
  public MigrationBuffer(DmaMapper mapper, PhysicalMemory memory) {
    this.mapper = mapper;
    this.memory = memory;
    mapping = new BufferMapping(mapper);
  }

  /**
   * Make it at least {@code length} bytes long, by pages of its own; what it holds stays. A mapped buffer that grows is unmapped first.
   *
   * @throws DmaMappingException NOT_BACKED if there is no memory; it is as long as before then
   */
  public void grow(long length) {
    long missing = length - length();
    if (missing <= 0) {
      return;
    }
    mapping.unmap();
    List<MemoryBlock> added = new ArrayList<>();
    try {
      for (long left = (missing - 1) / PageList.PAGE + 1; left > 0; left -= RUN_PAGES) {
        added.add(allocate(Math.min(left, RUN_PAGES) * PageList.PAGE));
      }
    } catch (RuntimeException e) {
      added.forEach(MemoryBlock::close);
      throw e;
    }
    for (MemoryBlock block : added) {
      starts.put(length(), block);
      list.append(block.ranges());
    }
  }

  /** Runs make short lists; where memory has none left, single pages do. */
  private MemoryBlock allocate(long length) {
    try {
      return memory.allocate(length, MemoryPlacement.CONTIGUOUS);
    } catch (DmaMappingException e) {
      return memory.allocate(length, MemoryPlacement.SCATTERED);
    }
  }

  /**
   * Append pages that their owner keeps in place until this is closed.
   *
   * @throws DmaMappingException UNSUPPORTED for what is not this machine's memory: a device's state goes through host memory, never into another device; NOT_BACKED for addresses where nothing is
   * @throws IllegalArgumentException for ranges that are not whole pages
   */
  public void append(PhysRanges ranges) {
    long[] phys = new long[1];
    long[] length = new long[1];
    ranges.rewind();
    while (ranges.fill(phys, length) > 0) {
      requireMemory(phys[0], length[0]);
    }
    mapping.unmap();
    list.append(ranges);
  }

  private void requireMemory(long phys, long length) {
    MemoryRegion region = memory.regionOf(phys, length);
    if (region.kind() != MemoryKind.RAM) {
      String range = "0x" + Long.toHexString(phys) + "+0x" + Long.toHexString(length);
      throw region.kind() == MemoryKind.ABSENT
          ? new DmaMappingException(Reason.NOT_BACKED, mapper.slot().address() + ": no memory at " + range + " for a migration buffer")
          : new DmaMappingException(
              Reason.UNSUPPORTED, mapper.slot().address() + ": " + range + " is " + region + ", a migration buffer takes host memory only; copy a device's state through host memory");
    }
  }

  /** Return the bytes it has room for. */
  public long length() {
    return list.pages() * PageList.PAGE;
  }

  /** Return the pages. */
  public PageList pages() {
    return list;
  }

  /** Return the direction it is mapped for, null unless mapped. */
  public @Nullable DmaDirection direction() {
    return mapping.direction();
  }

  /** Tell whether it is mapped as one range of I/O addresses. */
  public boolean isWindowed() {
    return mapping.isWindowed();
  }

  /** Return how many ranges of I/O addresses it took in its life. */
  public long windows() {
    return mapping.windows();
  }

  /**
   * Hand the first {@code length} bytes over to the device, mapping the buffer for {@code direction} unless it is mapped so.
   *
   * @return the table that the device is to be given
   * @throws DmaMappingException why it cannot be mapped; it is the CPU's then
   */
  public TranslationTable handOver(DmaDirection direction, long length) {
    if (length <= 0 || length > length()) {
      throw new IllegalArgumentException(mapper.slot().address() + ": cannot hand over " + length + " bytes of a buffer of " + length());
    }
    if (mapping.direction() == direction) {
      mapping.syncForDevice(length);
    } else {
      mapping.unmap();
      mapping.map(list, direction);
    }
    return mapping.table();
  }

  /** Take the first {@code length} bytes over from the device, which is done with them; it stays mapped. */
  public void takeOver(long length) {
    mapping.syncForCpu(length);
  }

  /** Copy bytes of the buffer at {@code offset} into a segment; they must be its own pages. */
  public void read(long offset, MemorySegment target, long targetOffset, long length) {
    long at = offset;
    long to = targetOffset;
    while (at < offset + length) {
      MemorySegment piece = piece(at, offset + length - at);
      MemorySegment.copy(piece, 0, target, to, piece.byteSize());
      at += piece.byteSize();
      to += piece.byteSize();
    }
  }

  /** Copy bytes of a segment into the buffer at {@code offset}; they must be its own pages. */
  public void write(long offset, MemorySegment source, long sourceOffset, long length) {
    long at = offset;
    long from = sourceOffset;
    while (at < offset + length) {
      MemorySegment piece = piece(at, offset + length - at);
      MemorySegment.copy(source, from, piece, 0, piece.byteSize());
      at += piece.byteSize();
      from += piece.byteSize();
    }
  }

  private MemorySegment piece(long offset, long length) {
    Map.Entry<Long, MemoryBlock> found = starts.floorEntry(offset);
    if (found == null || offset - found.getKey() >= found.getValue().length()) {
      throw new IndexOutOfBoundsException("byte " + offset + " is not in pages of the buffer's own");
    }
    long at = offset - found.getKey();
    return found.getValue().segment().asSlice(at, Math.min(length, found.getValue().length() - at));
  }

  /** Unmap it; the pages stay. */
  public void unmap() {
    mapping.unmap();
  }

  /** Unmap it and free its own pages. */
  @Override
  public void close() {
    mapping.close();
    starts.values().forEach(MemoryBlock::close);
    starts.clear();
  }
}
