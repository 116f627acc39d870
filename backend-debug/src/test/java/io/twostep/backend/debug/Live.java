package io.twostep.backend.debug;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.InvalidationBatch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

/** A handle that holds something, and what the {@link HonestHistory} knows of it. */
class Live {
  /** What a handle can be. */
  enum Kind {
    MAPPING,
    FOREIGN,
    PEER,
    TRANSFER,
    LINEAR,
    RESERVATION,
    SPARSE,
    COHERENT
  }

  /** A call on a part: offset, length. */
  @FunctionalInterface
  interface PartCall {
    void on(long offset, long length);
  }

  /** The calls that handles have in common; {@code again} asks for another mapping by the same handle. */
  record Calls(PartCall toCpu, PartCall toDevice, Runnable tearDown, Consumer<InvalidationBatch> inBatch, Runnable again, Runnable close) {
    /** The calls of a handle that holds one thing as long as it lives. */
    static Calls onlyClose(PartCall toCpu, PartCall toDevice, Runnable close) {
      return new Calls(toCpu, toDevice, () -> {}, batch -> {}, () -> {}, close);
    }
  }

  /** Memory as the CPU has it, and its physical address; {@code area} is its number if it is a history's. */
  record Memory(MemorySegment segment, long phys, int area) {
    static final int NO_AREA = -1;

    /** Give a byte another value. */
    void change(long at, Random random) {
      byte before = segment.get(ValueLayout.JAVA_BYTE, at);
      segment.set(ValueLayout.JAVA_BYTE, at, (byte) (before + 1 + random.nextInt(255)));
    }
  }

  /** A part that the device may use: where it lies in the handle, for the device, and in the memory. */
  record Piece(long offset, long dmaAddress, long at, long length) {
    long end() {
      return offset + length;
    }
  }

  final Kind kind;
  final Driver driver;
  final DmaDirection direction;
  final Memory memory;
  final Calls calls;

  /** Where the handle begins and how long it is, as reports name it. */
  final long dmaAddress;

  final long length;
  final List<Piece> pieces = new ArrayList<>();

  /** The one part that the CPU has taken over, if its length is not 0. */
  long cpuFrom;

  long cpuLength;

  /** Set for a handle that nobody touches any more before it is torn down. */
  boolean leftAlone;

  Live(Kind kind, Driver driver, DmaDirection direction, Memory memory, long dmaAddress, long length, Calls calls) {
    this.kind = kind;
    this.driver = driver;
    this.direction = direction;
    this.memory = memory;
    this.dmaAddress = dmaAddress;
    this.length = length;
    this.calls = calls;
  }

  /** One piece that begins at a byte of the memory. */
  Live whole(long at) {
    pieces.add(new Piece(0, dmaAddress, at, length));
    return this;
  }

  /** Tell whether memory behind it has an owner: the CPU or the device. */
  boolean isOwned() {
    return kind != Kind.COHERENT && kind != Kind.PEER && kind != Kind.SPARSE;
  }

  /** Have the CPU write some bytes of a part, each of which differs then. */
  void change(long offset, long bytes, Random random) {
    for (Piece piece : pieces) {
      long from = Math.max(offset, piece.offset);
      long to = Math.min(offset + bytes, piece.end());
      if (from < to) {
        memory.change(piece.at + (from - piece.offset) + random.nextLong(to - from), random);
      }
    }
  }
}
