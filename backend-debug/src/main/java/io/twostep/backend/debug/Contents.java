package io.twostep.backend.debug;

import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Sums what memory holds, as the CPU sees it. */
final class Contents {
  private static final int CHUNK = 65_536;
  private static final long ODD = 0x9E3779B97F4A7C15L;

  private final PhysicalMemory memory;

  Contents(PhysicalMemory memory) {
    this.memory = memory;
  }

  /** Sum physical memory; it must be there. */
  long sum(long phys, long length) {
    MemorySegment buffer = MemorySegment.ofArray(new long[(int) (Math.min(length + 7, CHUNK) / 8)]);
    long sum = length;
    for (long done = 0; done < length; done += buffer.byteSize()) {
      long piece = Math.min(buffer.byteSize(), length - done);
      memory.read(phys + done, buffer, 0, piece);
      sum = fold(sum, buffer, piece);
    }
    return sum;
  }

  /** Sum a segment that the calling thread may read. */
  static long sum(MemorySegment segment) {
    return fold(segment.byteSize(), segment, segment.byteSize());
  }

  private static long fold(long from, MemorySegment bytes, long length) {
    long sum = from;
    long at = 0;
    for (; at + 8 <= length; at += 8) {
      sum = (Long.rotateLeft(sum, 5) ^ bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, at)) * ODD;
    }
    for (; at < length; at++) {
      sum = (Long.rotateLeft(sum, 5) ^ bytes.get(ValueLayout.JAVA_BYTE, at)) * ODD;
    }
    return sum;
  }
}
