package io.twostep.device.vfio.buffer;

import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.RangeKind;
import io.twostep.dma.spi.Closing;
import org.jspecify.annotations.Nullable;

/** Maps a page list for a device: all pages into one range of I/O addresses by two steps, or, where nothing translates, run by run. */
final class BufferMapping implements AutoCloseable {
  private final IovaReservation window;
  private final DmaTransfer runs;
  private final TranslationTable table;
  private @Nullable DmaDirection direction;
  private boolean windowed;
  private long windows;

  BufferMapping(DmaMapper mapper) {
    window = mapper.newReservation();
    runs = mapper.newTransfer();
    table = new TranslationTable(mapper);
  }

  TranslationTable table() {
    return table;
  }

  @Nullable DmaDirection direction() {
    return direction;
  }

  boolean isWindowed() {
    return windowed && direction != null;
  }

  long windows() {
    return windows;
  }

  /**
   * Map the list and write the table.
   *
   * @throws DmaMappingException why it cannot be mapped; nothing is mapped then
   */
  void map(PageList list, DmaDirection wanted) {
    long length = list.pages() * PageList.PAGE;
    windowed = window.tryAlloc(0, length, wanted, DmaAttributes.NONE);
    try {
      if (windowed) {
        windows++;
        window.link(0, list.ranges());
        window.sync(0, length);
        table.sink().accept(window.address(), length, RangeKind.LOCAL);
      } else {
        runs.map(list.ranges(), wanted, DmaAttributes.NONE, table.sink());
      }
      direction = wanted;
      table.publish();
    } catch (RuntimeException e) {
      takeDown(e);
      throw e;
    }
  }

  private void takeDown(RuntimeException cause) {
    try {
      if (windowed) {
        window.destroy();
      } else if (direction != null) {
        runs.unmap();
      }
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
    } finally {
      direction = null;
    }
  }

  void syncForDevice(long length) {
    if (windowed) {
      window.syncForDevice(0, length);
    } else {
      runs.syncForDevice(0, length);
    }
  }

  void syncForCpu(long length) {
    if (windowed) {
      window.syncForCpu(0, length);
    } else {
      runs.syncForCpu(0, length);
    }
  }

  void unmap() {
    if (direction != null) {
      direction = null;
      if (windowed) {
        window.destroy();
      } else {
        runs.unmap();
      }
    }
  }

  @Override
  public void close() {
    direction = null;
    new Closing().then(window::close).then(runs::close).then(table::close).end();
  }
}
