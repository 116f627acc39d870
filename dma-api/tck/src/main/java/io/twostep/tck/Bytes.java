package io.twostep.tck;

import io.twostep.dma.MemoryBlock;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/** Contents: bytes that tell where they come from, and what the CPU sees of a block. */
public final class Bytes {
  private Bytes() {}

  /** Return bytes that no other salt gives. */
  public static byte[] random(int length, long salt) {
    byte[] bytes = new byte[length];
    new SplittableRandom(salt).nextBytes(bytes);
    return bytes;
  }

  /** Return what the CPU reads of a block. */
  public static byte[] of(MemoryBlock block, long offset, long length) {
    return block.segment().asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE);
  }

  /** Let the CPU write into a block. */
  public static void put(MemoryBlock block, long offset, byte[] bytes) {
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, block.segment(), offset, bytes.length);
  }

  /** Fill a segment with noise. */
  public static void fill(MemorySegment segment, long salt) {
    MemorySegment.copy(MemorySegment.ofArray(random((int) segment.byteSize(), salt)), 0, segment, 0, segment.byteSize());
  }
}
