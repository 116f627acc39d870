package io.twostep.device.rdma.rw;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PeerBlock;
import io.twostep.dma.PhysRanges;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Local memory of a transfer, piece by piece, as a device is told of it and as the CPU sees it. */
final class Pieces {
  private record Piece(long phys, MemorySegment bytes) {}

  private final List<Piece> pieces = new ArrayList<>();

  /** Add a part of a block that lies within one frame. */
  Pieces add(MemoryBlock block, long offset, long length) {
    pieces.add(new Piece(block.phys(offset), block.segment().asSlice(offset, length)));
    return this;
  }

  Pieces add(PeerBlock block, long offset, long length) {
    pieces.add(new Piece(block.phys() + offset, block.segment().asSlice(offset, length)));
    return this;
  }

  /** Add {@code count} whole pages of a block, from page {@code first} on. */
  Pieces pages(MemoryBlock block, int first, int count) {
    for (int i = 0; i < count; i++) {
      add(block, (first + i) * 4096L, 4096);
    }
    return this;
  }

  PhysRanges ranges() {
    long[] numbers = new long[2 * pieces.size()];
    for (int i = 0; i < pieces.size(); i++) {
      numbers[2 * i] = pieces.get(i).phys();
      numbers[2 * i + 1] = pieces.get(i).bytes().byteSize();
    }
    return PhysRanges.of(numbers);
  }

  int length() {
    return (int) pieces.stream().mapToLong(piece -> piece.bytes().byteSize()).sum();
  }

  byte[] bytes() {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    pieces.forEach(piece -> all.writeBytes(piece.bytes().toArray(ValueLayout.JAVA_BYTE)));
    return all.toByteArray();
  }

  Pieces fill(RandomGenerator random) {
    for (Piece piece : pieces) {
      byte[] drawn = new byte[(int) piece.bytes().byteSize()];
      random.nextBytes(drawn);
      MemorySegment.copy(MemorySegment.ofArray(drawn), 0, piece.bytes(), 0, drawn.length);
    }
    return this;
  }
}
