package io.twostep.dma.fake;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.MemoryRegion;
import java.lang.foreign.MemorySegment;

/** A block of {@link FakeMemory}: an array for the CPU, frames for devices. */
public final class FakeBlock implements MemoryBlock {
  public final MemoryRegion region;
  final byte[] data;

  private final FakeMemory memory;
  private final long length;
  private final long[] frames;
  private final int[] offsets;
  private final long lowest;
  private boolean closed;

  FakeBlock(FakeMemory memory, MemoryRegion region, long length, long[] frames) {
    this.memory = memory;
    this.region = region;
    this.length = length;
    this.frames = frames;
    this.data = new byte[Math.toIntExact(frames.length * FakeMemory.FRAME)];
    long low = Long.MAX_VALUE;
    long high = 0;
    for (long frame : frames) {
      low = Math.min(low, frame);
      high = Math.max(high, frame);
    }
    lowest = low;
    offsets = new int[(int) (high - low) + 1];
    memory.blocks().add(this);
    for (int i = 0; i < frames.length; i++) {
      memory.set(frames[i], this);
      offsets[(int) (frames[i] - low)] = i * (int) FakeMemory.FRAME;
    }
  }

  int offsetOf(long phys) {
    long frame = (phys - FakeMemory.BASE) >> 12;
    return offsets[(int) (frame - lowest)] + (int) (phys & FakeMemory.FRAME - 1);
  }

  int fill(long from, long to, long[] phys, long[] lengths) {
    int filled = 0;
    long at = from;
    while (at < to) {
      long n = Math.min(to - at, FakeMemory.FRAME - at % FakeMemory.FRAME);
      long p = phys(at);
      if (filled != 0 && phys[filled - 1] + lengths[filled - 1] == p) {
        lengths[filled - 1] += n;
      } else if (filled == phys.length) {
        break;
      } else {
        phys[filled] = p;
        lengths[filled++] = n;
      }
      at += n;
    }
    return filled;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public MemorySegment segment() {
    if (closed) {
      throw new IllegalStateException("closed");
    }
    return MemorySegment.ofArray(data).asSlice(0, length);
  }

  @Override
  public PhysRanges ranges() {
    return new PhysRanges() {
      private long at;

      @Override
      public void rewind() {
        at = 0;
      }

      @Override
      public int fill(long[] phys, long[] lengths) {
        int filled = FakeBlock.this.fill(at, length, phys, lengths);
        for (int i = 0; i < filled; i++) {
          at += lengths[i];
        }
        return filled;
      }
    };
  }

  @Override
  public long phys(long offset) {
    return FakeMemory.BASE + frames[(int) (offset / FakeMemory.FRAME)] * FakeMemory.FRAME + offset % FakeMemory.FRAME;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    if (!region.tryRetire()) {
      throw new IllegalStateException(region + " is held " + region.pins() + " times");
    }
    closed = true;
    memory.blocks().remove(this);
    for (long frame : frames) {
      memory.set(frame, null);
    }
  }
}
