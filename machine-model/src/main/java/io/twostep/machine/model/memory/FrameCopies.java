package io.twostep.machine.model.memory;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The copies of frames that devices without a view of CPU caches or cache operations touched, by frame number, in chunks. Not thread-safe. */
final class FrameCopies {
  private static final int CHUNK_SHIFT = 10;
  private static final int CHUNK = 1 << CHUNK_SHIFT;

  private @Nullable Copies[] @Nullable [] chunks = new Copies[0][];

  /** What memory holds, and what the CPU's lines held when they were last in step with it. */
  static final class Copies {
    final MemorySegment memory = MemorySegment.ofArray(new long[PhysicalLayout.FRAME_SIZE / 8]);
    final MemorySegment clean = MemorySegment.ofArray(new long[PhysicalLayout.FRAME_SIZE / 8]);
  }

  /** Return the copies of a frame, made of zeros when first asked for. */
  Copies of(long pfn) {
    int at = (int) (pfn >>> CHUNK_SHIFT);
    if (at >= chunks.length) {
      chunks = Arrays.copyOf(chunks, at + 1);
    }
    @Nullable Copies[] chunk = chunks[at];
    if (chunk == null) {
      chunk = new Copies[CHUNK];
      chunks[at] = chunk;
    }
    Copies copies = chunk[(int) pfn & CHUNK - 1];
    if (copies == null) {
      copies = new Copies();
      chunk[(int) pfn & CHUNK - 1] = copies;
    }
    return copies;
  }

  /** Forget the copies of a frame, if it has any. */
  void remove(long pfn) {
    int at = (int) (pfn >>> CHUNK_SHIFT);
    @Nullable Copies[] chunk = at < chunks.length ? chunks[at] : null;
    if (chunk != null) {
      chunk[(int) pfn & CHUNK - 1] = null;
    }
  }
}
