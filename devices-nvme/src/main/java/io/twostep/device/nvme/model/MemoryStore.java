package io.twostep.device.nvme.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A medium in memory that takes space only where it was written; chunks cleared as a whole are given out again. */
final class MemoryStore implements BlockStore {
  private static final int CHUNK_SHIFT = 20;
  private static final long CHUNK = 1L << CHUNK_SHIFT;

  private final Arena arena = Arena.ofShared();
  private final long size;
  private final byte blank;
  private final MemorySegment untouched;
  private final @Nullable MemorySegment[] chunks;
  private final MemorySegment[] spare;
  private int spares;

  /** Create a medium of {@code size} bytes that read as {@code blank} until they are written. */
  MemoryStore(long size, byte blank) {
    long count = (size + CHUNK - 1) >>> CHUNK_SHIFT;
    if (size <= 0 || count > 1 << 24) {
      throw new IllegalArgumentException("a medium in memory has 1 byte to 16 TiB, not " + size + " bytes");
    }
    this.size = size;
    this.blank = blank;
    untouched = arena.allocate(CHUNK, Long.BYTES).fill(blank).asReadOnly();
    chunks = new MemorySegment[(int) count];
    spare = new MemorySegment[16];
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public MemorySegment readable(long offset) {
    MemorySegment chunk = chunks[(int) (offset >>> CHUNK_SHIFT)];
    return chunk == null ? untouched : chunk;
  }

  @Override
  public MemorySegment writable(long offset) {
    int index = (int) (offset >>> CHUNK_SHIFT);
    MemorySegment chunk = chunks[index];
    if (chunk == null) {
      chunk = spares > 0 ? spare[--spares] : arena.allocate(CHUNK, Long.BYTES);
      chunks[index] = chunk.fill(blank);
    }
    return chunk;
  }

  @Override
  public long offsetInSegment(long offset) {
    return offset & (CHUNK - 1);
  }

  @Override
  public long run(long offset) {
    return Math.min(CHUNK - (offset & (CHUNK - 1)), size - offset);
  }

  @Override
  public void clear(long offset, long length) {
    long at = offset;
    long left = length;
    while (left > 0) {
      long run = Math.min(left, run(at));
      MemorySegment chunk = chunks[(int) (at >>> CHUNK_SHIFT)];
      if (chunk != null) {
        if (run == CHUNK && spares < spare.length) {
          spare[spares++] = chunk;
          chunks[(int) (at >>> CHUNK_SHIFT)] = null;
        } else {
          chunk.asSlice(offsetInSegment(at), run).fill(blank);
        }
      }
      at += run;
      left -= run;
    }
  }

  @Override
  public void flush() {
    // Memory is as durable as it gets.
  }

  @Override
  public void close() {
    arena.close();
  }
}
