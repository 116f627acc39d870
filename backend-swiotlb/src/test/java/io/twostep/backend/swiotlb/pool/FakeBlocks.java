package io.twostep.backend.swiotlb.pool;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Memory that is only addresses, up to a number of areas; counts what is open. */
final class FakeBlocks implements AreaSource {
  private final long first;
  private int left;
  private int made;
  private @Nullable Supplier<Error> failure;
  int open;

  /** Phys of the block that is still held when the pool closes it; no block's if negative. */
  long held = -1;

  FakeBlocks(long first, int left) {
    this.first = first;
    this.left = left;
  }

  @Override
  public MemoryBlock allocate(long length) {
    if (left == 0) {
      return null;
    }
    left--;
    open++;
    return new Block(first + made++ * length, length);
  }

  /** Adds areas to what can be had. */
  void more(int areas) {
    left += areas;
  }

  /** Makes the next block fail when it is first looked at. */
  void fail(Supplier<Error> error) {
    failure = error;
  }

  private final class Block implements MemoryBlock {
    private final long phys;
    private final long length;

    Block(long phys, long length) {
      this.phys = phys;
      this.length = length;
    }

    @Override
    public long length() {
      return length;
    }

    @Override
    public MemorySegment segment() {
      Supplier<Error> told = failure;
      failure = null;
      if (told != null) {
        throw told.get();
      }
      return MemorySegment.NULL;
    }

    @Override
    public PhysRanges ranges() {
      throw new UnsupportedOperationException("not part of this fake");
    }

    @Override
    public long phys(long offset) {
      return phys + offset;
    }

    @Override
    public void close() {
      if (phys == held) {
        throw new IllegalStateException("still held");
      }
      open--;
    }
  }
}
