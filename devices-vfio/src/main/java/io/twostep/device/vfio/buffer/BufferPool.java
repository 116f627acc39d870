package io.twostep.device.vfio.buffer;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.PhysicalMemory;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Buffers of one device that wait to be used again: one of the same direction that is large enough is taken as it is, mapped; another one grows. Used by one thread at a time.
 */
public final class BufferPool implements AutoCloseable {
  private final DmaMapper mapper;
  private final PhysicalMemory memory;
  private final List<MigrationBuffer> free = new ArrayList<>();
  private final List<MigrationBuffer> all = new ArrayList<>();

  /** Create an empty pool for a device, of pages of a machine. */
  public BufferPool(DmaMapper mapper, PhysicalMemory memory) {
    this.mapper = mapper;
    this.memory = memory;
  }

  /**
   * Take a buffer of at least {@code length} bytes; {@link #give} it back.
   *
   * @throws DmaMappingException NOT_BACKED if there is no memory; the pool is unchanged then
   */
  public MigrationBuffer take(DmaDirection direction, long length) {
    MigrationBuffer best = best(direction, length);
    if (best == null) {
      best = new MigrationBuffer(mapper, memory);
      all.add(best);
    } else {
      free.remove(best);
    }
    try {
      best.grow(length);
      return best;
    } catch (RuntimeException e) {
      free.add(best);
      throw e;
    }
  }

  /** The smallest that is large enough and mapped for the direction, else the largest there is. */
  private @Nullable MigrationBuffer best(DmaDirection direction, long length) {
    MigrationBuffer fitting = null;
    MigrationBuffer largest = null;
    for (MigrationBuffer buffer : free) {
      boolean fits = buffer.direction() == direction && buffer.length() >= length;
      fitting = fits && (fitting == null || buffer.length() < fitting.length()) ? buffer : fitting;
      largest = largest == null || buffer.length() > largest.length() ? buffer : largest;
    }
    return fitting != null ? fitting : largest;
  }

  /**
   * Give a buffer back; it stays mapped.
   *
   * @throws IllegalArgumentException if it is not of this pool, or was given back
   */
  public void give(MigrationBuffer buffer) {
    if (!all.contains(buffer) || free.contains(buffer)) {
      throw new IllegalArgumentException(mapper.slot().address() + ": this buffer was not taken from this pool");
    }
    free.add(buffer);
  }

  /** Return how many buffers were made. */
  public int buffers() {
    return all.size();
  }

  /** Return the pages of all buffers. */
  public long pages() {
    return all.stream().mapToLong(buffer -> buffer.pages().pages()).sum();
  }

  /** Return the bytes of all page lists. */
  public long listBytes() {
    return all.stream().mapToLong(buffer -> buffer.pages().listBytes()).sum();
  }

  /** Return how many ranges of I/O addresses the buffers took. */
  public long windows() {
    return all.stream().mapToLong(MigrationBuffer::windows).sum();
  }

  /**
   * Close all buffers, those not given back too, each whatever became of those before it.
   *
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from one, which keeps its pages; closing may be tried again
   */
  @Override
  public void close() {
    free.clear();
    new Closing().thenEach(List.copyOf(all), this::close).end();
  }

  private void close(MigrationBuffer buffer) {
    buffer.close();
    all.remove(buffer);
  }
}
