package io.twostep.machine.model.memory;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * What the machine knows of each frame, in chunks that exist once a frame of theirs was used: its block and the storage page that holds its bytes.
 *
 * <p>Written under the memory's lock, read by anyone. A reader that was handed a frame by the thread that allocated it sees its entry; a racing reader
 * sees the entry of before or after.
 */
final class FrameTable {
  private static final int CHUNK_SHIFT = 10;
  private static final int CHUNK = 1 << CHUNK_SHIFT;

  private final AtomicReferenceArray<@Nullable Chunk> chunks;

  FrameTable(long entries) {
    chunks = new AtomicReferenceArray<>((int) ((entries + CHUNK - 1) >>> CHUNK_SHIFT));
  }

  /** Return the block that owns an entry, null if none does. */
  @Nullable Block owner(long index) {
    Chunk chunk = chunks.getAcquire((int) (index >>> CHUNK_SHIFT));
    return chunk == null ? null : chunk.owners[(int) index & (CHUNK - 1)];
  }

  /** Return the storage page of an entry; 0 stands for the entry's own place. */
  int storagePage(long index) {
    Chunk chunk = chunks.getAcquire((int) (index >>> CHUNK_SHIFT));
    return chunk == null ? 0 : chunk.pages[(int) index & (CHUNK - 1)];
  }

  /**
   * Return where a frame's bytes are stored, as a page of the storage, or the complement of that if no block owns the frame; one look-up for both.
   *
   * @param index the frame, which is also the storage page of a frame without another
   */
  long locate(long index) {
    Chunk chunk = chunks.getAcquire((int) (index >>> CHUNK_SHIFT));
    if (chunk == null) {
      return ~index;
    }
    int at = (int) index & (CHUNK - 1);
    long page = chunk.pages[at] == 0 ? index : chunk.pages[at];
    return chunk.owners[at] == null ? ~page : page;
  }

  void set(long index, @Nullable Block owner, int storagePage) {
    Chunk chunk = chunk((int) (index >>> CHUNK_SHIFT));
    chunk.pages[(int) index & (CHUNK - 1)] = storagePage;
    chunk.owners[(int) index & (CHUNK - 1)] = owner;
  }

  private Chunk chunk(int at) {
    Chunk chunk = chunks.getAcquire(at);
    if (chunk == null) {
      chunk = new Chunk();
      chunks.setRelease(at, chunk);
    }
    return chunk;
  }

  private static final class Chunk {
    final @Nullable Block[] owners = new @Nullable Block[CHUNK];
    final int[] pages = new int[CHUNK];
  }
}
