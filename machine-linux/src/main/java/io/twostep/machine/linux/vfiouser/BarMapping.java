package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.Closing;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.MapOptions;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo.Area;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;

/** The parts of a BAR that this process has mapped. */
final class BarMapping implements AutoCloseable {
  private final Kernel kernel;
  private final String name;
  private final Map<Area, MemorySegment> parts = new LinkedHashMap<>();

  /**
   * Map what a region offers; the descriptor is no longer needed then.
   *
   * @param name names device and BAR in messages
   * @throws ProtocolException if the descriptor has not what the region says: touching it would be a bus error
   */
  BarMapping(Kernel kernel, String name, RegionInfo info, Descriptor file) {
    this.kernel = kernel;
    this.name = name;
    if (file.equals(Descriptor.NONE)) {
      return;
    }
    List<Area> areas = info.areas().isEmpty() ? List.of(new Area(0, info.size())) : info.areas();
    try {
      long bytes = kernel.size(file);
      for (Area area : new LinkedHashSet<>(areas)) {
        requireMappable(info, area, bytes);
        parts.put(
            area, kernel.mmap(area.size(), MapOptions.READ | MapOptions.WRITE, MapOptions.SHARED, file, info.offset() + area.offset()));
      }
    } catch (RuntimeException e) {
      throw Closing.after(e, this::close);
    }
  }

  private void requireMappable(RegionInfo info, Area area, long bytes) {
    long first = info.offset() + area.offset();
    if (info.offset() < 0 || first < 0 || ((area.offset() | first | area.size()) & (kernel.pageSize() - 1)) != 0 || area.size() > bytes - first) {
      throw new ProtocolException(
          "BAR %d offers 0x%x+0x%x at offset 0x%x of a descriptor of 0x%x bytes to be mapped: whole pages of both can"
              .formatted(info.index(), area.offset(), area.size(), first, bytes));
    }
  }

  Map<Area, MemorySegment> parts() {
    return parts;
  }

  private void unmap(MemorySegment part) {
    try {
      kernel.munmap(part);
    } catch (SystemCallException e) {
      throw e.explained(name, "0x%x bytes of it stay mapped until this process ends".formatted(part.byteSize()));
    }
  }

  @Override
  public void close() {
    Closing closing = new Closing().thenEach(parts.values(), this::unmap);
    parts.clear();
    closing.end();
  }
}
