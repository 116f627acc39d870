package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Mmio;
import io.twostep.machine.linux.slot.BarMmio;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo.Area;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The registers of a BAR: by load and store where the server passed a descriptor, by messages elsewhere.
 *
 * <p>A write by message waits for no answer, as a bus does not; what is read later finds it done. With the server lost reads return all ones and writes go nowhere.
 */
final class RemoteRegisters implements Mmio {
  private final Connection connection;
  private final RemoteDevice device;
  private final int bar;
  private final long length;
  private final long[] firsts;
  private final long[] ends;
  private final BarMmio[] mapped;

  /** Create; {@code areas} are the parts that can be mapped, and {@code mapped} their mappings. */
  RemoteRegisters(Connection connection, RemoteDevice device, int bar, long length, Map<Area, BarMmio> mapped) {
    this.connection = connection;
    this.device = device;
    this.bar = bar;
    this.length = length;
    TreeMap<Area, BarMmio> sorted = new TreeMap<>((a, b) -> Long.compare(a.offset(), b.offset()));
    sorted.putAll(mapped);
    List<Area> areas = List.copyOf(sorted.keySet());
    firsts = areas.stream().mapToLong(Area::offset).toArray();
    ends = areas.stream().mapToLong(area -> area.offset() + area.size()).toArray();
    this.mapped = sorted.values().toArray(BarMmio[]::new);
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public int read32(long offset) {
    return (int) read(offset, 4);
  }

  @Override
  public long read64(long offset) {
    return read(offset, 8);
  }

  @Override
  public void write32(long offset, int value) {
    write(offset, 4, value & 0xffff_ffffL);
  }

  @Override
  public void write64(long offset, long value) {
    write(offset, 8, value);
  }

  private long read(long offset, int width) {
    require(offset, width);
    if (connection.isLost()) {
      return -1L;
    }
    int area = areaOf(offset, width);
    try {
      if (area < 0) {
        return device.read(bar, offset, width);
      }
      settle();
      return width == 4 ? mapped[area].read32(offset - firsts[area]) : mapped[area].read64(offset - firsts[area]);
    } catch (DmaMappingException | RefusedException e) {
      // The connection has said why, if it is lost.
      return -1L;
    }
  }

  private void write(long offset, int width, long value) {
    require(offset, width);
    if (connection.isLost()) {
      return;
    }
    int area = areaOf(offset, width);
    try {
      if (area < 0) {
        device.post(bar, offset, width, value);
        return;
      }
      settle();
      if (width == 4) {
        mapped[area].write32(offset - firsts[area], (int) value);
      } else {
        mapped[area].write64(offset - firsts[area], value);
      }
    } catch (DmaMappingException e) {
      // Lost, as a write to a device that is not there is; the connection has said why.
    }
  }

  /** A store is seen at once, a message later: let those that were sent before be done before. */
  private void settle() {
    if (connection.hasPosted()) {
      try {
        device.read(RegionIndex.CONFIG, 0, 2);
      } catch (RefusedException e) {
        // An answer is an answer.
      }
    }
  }

  private int areaOf(long offset, int width) {
    for (int i = 0; i < firsts.length; i++) {
      if (offset >= firsts[i] && offset <= ends[i] - width) {
        return i;
      }
    }
    return -1;
  }

  private void require(long offset, int width) {
    if (offset < 0 || offset > length - width || (offset & (width - 1)) != 0) {
      throw new IndexOutOfBoundsException(
          "%s: %d-byte access at 0x%x of BAR %d, which has 0x%x bytes; offsets are aligned to the width"
              .formatted(connection.device(), width, offset, bar, length));
    }
  }
}
