package io.twostep.device.nvme.host;

import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.spi.Closing;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * List memory of one queue, cut from coherent buffers: pages of the controller's page size and small pieces. Grows to what the queue
 * needs and keeps it; allocates nothing once grown. One thread at a time.
 */
public final class CoherentListPages implements ListPages, AutoCloseable {
  private static final int CHUNK_SHIFT = 32;
  private static final long SMALL_BIT = 1;

  private final DmaMapper mapper;
  private final int pageSize;

  private DmaBuffer[] chunks = new DmaBuffer[0];
  private MemorySegment[] segments = new MemorySegment[0];
  private long[] dmaAddresses = new long[0];

  private long[] freePages = new long[4];
  private int freePageCount;
  private long[] freeSmall = new long[16];
  private int freeSmallCount;
  private int taken;

  /** Create a pool without memory. */
  public CoherentListPages(DmaMapper mapper, int pageSize) {
    this.mapper = mapper;
    this.pageSize = pageSize;
  }

  @Override
  public int pageSize() {
    return pageSize;
  }

  @Override
  public long allocate(boolean small) {
    if ((small ? freeSmallCount : freePageCount) == 0 && !tryGrow(small)) {
      return NONE;
    }
    taken++;
    return small ? freeSmall[--freeSmallCount] : freePages[--freePageCount];
  }

  @Override
  public void free(long token) {
    taken--;
    pushFree(token);
  }

  @Override
  public long dmaAddress(long token) {
    return dmaAddresses[chunkOf(token)] + offset(token);
  }

  @Override
  public MemorySegment segment(long token) {
    return segments[chunkOf(token)];
  }

  @Override
  public long offset(long token) {
    return token & (1L << CHUNK_SHIFT) - 1 & ~SMALL_BIT;
  }

  /** Return how many pieces are taken now. */
  public int taken() {
    return taken;
  }

  /** Return how many buffers were allocated. */
  public int buffers() {
    return chunks.length;
  }

  /** Free the memory; nothing may be taken, and the controller must be stopped. */
  @Override
  public void close() {
    Closing closing = new Closing();
    for (DmaBuffer chunk : chunks) {
      closing.then(chunk::close);
    }
    chunks = new DmaBuffer[0];
    segments = new MemorySegment[0];
    freePageCount = 0;
    freeSmallCount = 0;
    closing.end();
  }

  private static int chunkOf(long token) {
    return (int) (token >>> CHUNK_SHIFT);
  }

  private boolean tryGrow(boolean small) {
    DmaBuffer buffer;
    try {
      buffer = mapper.allocateCoherent(pageSize);
    } catch (DmaMappingException e) {
      return false;
    }
    int chunk = chunks.length;
    chunks = Arrays.copyOf(chunks, chunk + 1);
    segments = Arrays.copyOf(segments, chunk + 1);
    dmaAddresses = Arrays.copyOf(dmaAddresses, chunk + 1);
    chunks[chunk] = buffer;
    segments[chunk] = buffer.segment();
    dmaAddresses[chunk] = buffer.dmaAddress();
    long base = (long) chunk << CHUNK_SHIFT;
    if (small) {
      for (long at = 0; at < pageSize; at += SMALL) {
        pushFree(base | at | SMALL_BIT);
      }
    } else {
      pushFree(base);
    }
    return true;
  }

  private void pushFree(long token) {
    if ((token & SMALL_BIT) != 0) {
      if (freeSmallCount == freeSmall.length) {
        freeSmall = Arrays.copyOf(freeSmall, freeSmallCount * 2);
      }
      freeSmall[freeSmallCount++] = token;
    } else {
      if (freePageCount == freePages.length) {
        freePages = Arrays.copyOf(freePages, freePageCount * 2);
      }
      freePages[freePageCount++] = token;
    }
  }
}
