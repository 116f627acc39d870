package io.twostep.device.vfio.buffer;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaSink;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What tells a device where a buffer's bytes are: entries of DMA address and length in memory that the device reads, little-endian, 16 bytes each, adjacent ones joined.
 *
 * <p>A buffer in one range of I/O addresses is one entry, whatever its length. Used by one thread at a time.
 */
public final class TranslationTable implements AutoCloseable {
  /** Bytes of an entry: address u64, length u64. */
  public static final int ENTRY = 16;

  private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final DmaMapper mapper;
  private long[] entries = new long[2];
  private int count;
  private @Nullable DmaBuffer memory;

  TranslationTable(DmaMapper mapper) {
    this.mapper = mapper;
  }

  /** Return what entries are added by; they are the device's after {@link #publish}. */
  DmaSink sink() {
    count = 0;
    return (dmaAddress, length, kind) -> add(dmaAddress, length);
  }

  private boolean add(long dmaAddress, long length) {
    int last = 2 * count - 2;
    if (count > 0 && entries[last] + entries[last + 1] == dmaAddress) {
      entries[last + 1] += length;
      return true;
    }
    if (2 * count == entries.length) {
      entries = Arrays.copyOf(entries, entries.length * 2);
    }
    entries[2 * count] = dmaAddress;
    entries[2 * count++ + 1] = length;
    return true;
  }

  /** Write the entries where the device reads them. */
  void publish() {
    long bytes = (long) count * ENTRY;
    if (memory == null || memory.length() < bytes) {
      close();
      memory = mapper.allocateCoherent(Math.max(bytes, ENTRY));
    }
    MemorySegment table = memory.segment();
    for (int i = 0; i < 2 * count; i++) {
      table.set(U64, (long) i * Long.BYTES, entries[i]);
    }
  }

  /**
   * Return the address the device uses for the first entry.
   *
   * @throws IllegalStateException unless the buffer is mapped
   */
  public long dmaAddress() {
    if (memory == null) {
      throw new IllegalStateException("the table's buffer was never mapped");
    }
    return memory.dmaAddress();
  }

  /** Return how many entries there are. */
  public int entries() {
    return count;
  }

  /** Free the memory that the device reads. */
  @Override
  public void close() {
    if (memory != null) {
      memory.close();
      memory = null;
    }
  }
}
