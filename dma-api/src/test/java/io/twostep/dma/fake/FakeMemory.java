package io.twostep.dma.fake;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Revocable;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashSet;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Physical memory as a table of frames, each of which belongs to a block at most; blocks are heap arrays. */
public final class FakeMemory implements PhysicalMemory {
  public static final long FRAME = 4096;
  public static final long BASE = 0x10_0000;

  private static final int RAM_FRAMES = 8192;
  private static final int OTHER_FRAMES = 1024;

  private final @Nullable FakeBlock[] frames = new FakeBlock[RAM_FRAMES + OTHER_FRAMES];
  private final Set<FakeBlock> blocks = new LinkedHashSet<>();
  private final Faults faults;
  private int otherNext = RAM_FRAMES;

  public FakeMemory(Faults faults) {
    this.faults = faults;
  }

  @Override
  public long frameSize() {
    return FRAME;
  }

  @Override
  public long highestAddress() {
    return BASE + RAM_FRAMES * FRAME - 1;
  }

  @Override
  public MemoryRegion regionOf(long phys, long length) {
    FakeBlock block = blockAt(phys);
    if (block == null) {
      return MemoryRegion.ABSENT;
    }
    long last = phys + (length - 1);
    for (long at = (phys & -FRAME) + FRAME; at <= last && at > 0; at += FRAME) {
      if (blockAt(at) != block) {
        return MemoryRegion.ABSENT;
      }
    }
    return last < phys ? MemoryRegion.ABSENT : block.region;
  }

  @Nullable FakeBlock blockAt(long phys) {
    long frame = (phys - BASE) >> 12;
    return frame < 0 || frame >= frames.length || phys < 0 ? null : frames[(int) frame];
  }

  @Override
  public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
    faults.hit("memory");
    int count = Math.toIntExact((length + FRAME - 1) / FRAME);
    long[] chosen = placement == MemoryPlacement.SCATTERED ? scattered(count) : contiguous(count, highestPhys);
    long run = placement == MemoryPlacement.SCATTERED ? 0 : count * FRAME;
    return new FakeBlock(this, new MemoryRegion(MemoryKind.RAM, "block of " + length, BASE + chosen[0] * FRAME, run), length, chosen);
  }

  /** Make memory of another kind: peers and registers; {@code name} is what the peer layer goes by. */
  public FakeBlock other(MemoryKind kind, String name, int count) {
    return other(new MemoryRegion(kind, name), count);
  }

  /** Make peer memory that can be taken back; the peer layer goes by its name. */
  public FakeBlock peers(Revocable memory, int count) {
    return other(new MemoryRegion(MemoryKind.PEER, memory.toString(), memory), count);
  }

  /** Make RAM that can be taken back. */
  public FakeBlock revocableRam(Revocable memory, int count) {
    return other(new MemoryRegion(MemoryKind.RAM, memory.toString(), memory), count);
  }

  private FakeBlock other(MemoryRegion region, int count) {
    long[] chosen = new long[count];
    for (int i = 0; i < count; i++) {
      chosen[i] = otherNext++;
    }
    return new FakeBlock(this, region, count * FRAME, chosen);
  }

  private long[] contiguous(int count, long highestPhys) {
    int align = Integer.highestOneBit(Math.max(1, count * 2 - 1));
    for (int from = 0; from + count <= RAM_FRAMES; from += align) {
      boolean free = Long.compareUnsigned(BASE + (from + count) * FRAME - 1, highestPhys) <= 0;
      for (int i = 0; i < count && free; i++) {
        free = frames[from + i] == null;
      }
      if (free) {
        long[] chosen = new long[count];
        for (int i = 0; i < count; i++) {
          chosen[i] = from + i;
        }
        return chosen;
      }
    }
    throw full(count);
  }

  /** Every other free frame from the top down, so that no two neighbours are adjacent. */
  private long[] scattered(int count) {
    long[] chosen = new long[count];
    int found = 0;
    for (int frame = RAM_FRAMES - 1; frame >= 0 && found < count; frame -= 2) {
      if (frames[frame] == null) {
        chosen[found++] = frame;
      }
    }
    if (found < count) {
      throw full(count);
    }
    return chosen;
  }

  private static DmaMappingException full(int count) {
    return new DmaMappingException(Reason.NOT_BACKED, "no room for " + count + " frames");
  }

  void set(long frame, @Nullable FakeBlock block) {
    frames[(int) frame] = block;
  }

  /** Return every block there is. */
  public Set<FakeBlock> blocks() {
    return blocks;
  }

  /** Return how often regions are held in all. */
  public long pins() {
    return blocks().stream().mapToLong(b -> b.region.pins()).sum();
  }

  public byte get(long phys) {
    FakeBlock block = blockAt(phys);
    if (block == null) {
      throw new AssertionError("nothing at 0x" + Long.toHexString(phys));
    }
    return block.data[block.offsetOf(phys)];
  }

  public void put(long phys, byte value) {
    FakeBlock block = blockAt(phys);
    if (block == null) {
      throw new AssertionError("nothing at 0x" + Long.toHexString(phys));
    }
    block.data[block.offsetOf(phys)] = value;
  }

  public void copy(long from, long to, long length) {
    for (long i = 0; i < length; ) {
      FakeBlock source = Objects.requireNonNull(blockAt(from + i));
      FakeBlock target = Objects.requireNonNull(blockAt(to + i));
      int n = (int) Math.min(length - i, Math.min(FRAME - (from + i & FRAME - 1), FRAME - (to + i & FRAME - 1)));
      System.arraycopy(source.data, source.offsetOf(from + i), target.data, target.offsetOf(to + i), n);
      i += n;
    }
  }

  @Override
  public MemorySegment segment(long phys, long length) {
    FakeBlock block = Objects.requireNonNull(blockAt(phys));
    return block.segment().asSlice(block.offsetOf(phys), length);
  }

  @Override
  public void read(long phys, MemorySegment target, long offset, long length) {
    for (long i = 0; i < length; i++) {
      target.set(java.lang.foreign.ValueLayout.JAVA_BYTE, offset + i, get(phys + i));
    }
  }

  @Override
  public void write(long phys, MemorySegment source, long offset, long length) {
    for (long i = 0; i < length; i++) {
      put(phys + i, source.get(java.lang.foreign.ValueLayout.JAVA_BYTE, offset + i));
    }
  }

  @Override
  public int ranges(MemorySegment segment, long offset, long[] phys, long[] length) {
    Object array = segment.heapBase().orElse(null);
    for (FakeBlock block : blocks()) {
      if (block.data == array) {
        return block.fill(segment.address() + offset, segment.address() + segment.byteSize(), phys, length);
      }
    }
    return -1;
  }

  @Override
  public long cacheLine() {
    return 64;
  }

  @Override
  public void cleanCache(long phys, long length) {}

  @Override
  public void invalidateCache(long phys, long length) {}

  @Override
  public AutoCloseable beforeReuse(Runnable flush) {
    return () -> {};
  }
}
