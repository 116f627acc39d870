package io.twostep.examples.compare;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.PhysicalMemory;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * A layout on a machine's memory: other addresses, but what was adjacent is adjacent, what was apart is apart, the order of addresses is kept, and every range keeps its
 * alignment up to its own size, so that a page table can use the same leaves.
 *
 * <p>All of it lies in one block, as the buffers of one program lie in the memory that it registered.
 */
final class Placement implements AutoCloseable {
  private static final int CHUNK = 64 << 10;

  final Layout layout;

  /** Where each range begins on the machine. */
  final long[] phys;

  /** Where each range begins in the buffers' bytes, and one more: their end. */
  final long[] offset;

  private final PhysicalMemory memory;
  private final MemoryBlock block;

  private Placement(Layout layout, PhysicalMemory memory) {
    this.layout = layout;
    this.memory = memory;
    int count = layout.ranges();
    offset = new long[count + 1];
    for (int i = 0; i < count; i++) {
      offset[i + 1] = offset[i] + layout.length(i);
    }
    phys = new long[count];
    long size = compact();
    block = memory.allocate(size, MemoryPlacement.CONTIGUOUS);
    for (int i = 0; i < count; i++) {
      phys[i] += block.phys(0);
    }
  }

  /** Place random bytes. */
  static Placement ofRandomBytes(Layout layout, PhysicalMemory memory, long seed) {
    Placement placed = new Placement(layout, memory);
    SplittableRandom random = new SplittableRandom(seed);
    byte[] chunk = new byte[CHUNK];
    placed.forEachChunk(
        (to, at) -> {
          random.nextBytes(chunk);
          MemorySegment.copy(chunk, 0, to, ValueLayout.JAVA_BYTE, 0, (int) to.byteSize());
        });
    return placed;
  }

  /** Place a file; the layout has as many bytes. */
  static Placement ofFile(Layout layout, PhysicalMemory memory, Path file) throws IOException {
    Placement placed = new Placement(layout, memory);
    try (FileChannel bytes = FileChannel.open(file, StandardOpenOption.READ)) {
      placed.forEachChunk((to, at) -> read(bytes, to.asByteBuffer(), at));
    } catch (IOException | RuntimeException e) {
      placed.close();
      throw e;
    }
    return placed;
  }

  private static void read(FileChannel file, ByteBuffer target, long from) throws IOException {
    long at = from;
    while (target.hasRemaining()) {
      int count = file.read(target, at);
      if (count < 0) {
        throw new EOFException("the file became shorter while it was read");
      }
      at += count;
    }
  }

  /** Give every group of adjacent frames a place, in the order of addresses, with a frame between groups; return the bytes needed. */
  private long compact() {
    int[] order = IntStream.range(0, phys.length).boxed().sorted(Comparator.comparing(layout::phys, Long::compareUnsigned)).mapToInt(i -> i).toArray();
    long next = 0;
    int from = 0;
    while (from < order.length) {
      long start = layout.phys(order[from]) & -Layout.PAGE;
      long lastFrame = lastFrame(order[from]);
      int to = from + 1;
      while (to < order.length && isNear(layout.phys(order[to]) & -Layout.PAGE, lastFrame)) {
        long last = lastFrame(order[to]);
        lastFrame = Long.compareUnsigned(last, lastFrame) > 0 ? last : lastFrame;
        to++;
      }
      long bytes = lastFrame - start + Layout.PAGE;
      long alignment = Long.highestOneBit(bytes);
      long at = next + (start - next & alignment - 1);
      for (int i = from; i < to; i++) {
        phys[order[i]] = at + (layout.phys(order[i]) - start);
      }
      next = at + bytes + Layout.PAGE;
      from = to;
    }
    return next;
  }

  /** Tell whether a frame is at most one behind another, or before it. */
  private static boolean isNear(long frame, long lastFrame) {
    return Long.compareUnsigned(frame, lastFrame) <= 0 || frame - lastFrame == Layout.PAGE;
  }

  private long lastFrame(int range) {
    return layout.phys(range) + layout.length(range) - 1 & -Layout.PAGE;
  }

  /** Compare bytes that a device read with the buffers' bytes from {@code from} on. */
  boolean holds(long from, byte[] found) {
    byte[] expected = new byte[found.length];
    int done = 0;
    for (int range = rangeAt(from); done < found.length; range++) {
      long skip = from + done - offset[range];
      int piece = (int) Math.min(found.length - done, layout.length(range) - skip);
      memory.read(phys[range] + skip, MemorySegment.ofArray(expected), done, piece);
      done += piece;
    }
    return Arrays.equals(expected, found);
  }

  /** Return the range that holds the buffers' byte {@code from}. */
  int rangeAt(long from) {
    int found = Arrays.binarySearch(offset, from);
    return found >= 0 ? found : -found - 2;
  }

  /** Return entries whose addresses are those of the machine's memory as they would be where the layout says, from the first byte on. */
  List<Entry> unplaced(List<Entry> entries) {
    List<Entry> there = new ArrayList<>();
    long at = 0;
    for (Entry entry : entries) {
      int range = rangeAt(at);
      there.add(new Entry(entry.dmaAddress() - phys[range] + layout.phys(range), entry.length()));
      at += entry.length();
    }
    return there;
  }

  private <E extends Exception> void forEachChunk(Filler<E> filler) throws E {
    for (int i = 0; i < phys.length; i++) {
      for (long at = 0; at < layout.length(i); at += CHUNK) {
        filler.fill(memory.segment(phys[i] + at, Math.min(CHUNK, layout.length(i) - at)), offset[i] + at);
      }
    }
  }

  @Override
  public void close() {
    block.close();
  }

  /** Fills a piece of the buffers. */
  private interface Filler<E extends Exception> {
    void fill(MemorySegment to, long offset) throws E;
  }
}
