package io.twostep.device.rdma.mirror;

import io.twostep.dma.PhysRanges;
import java.util.Arrays;

/**
 * Pages that stay in memory where they are until this is closed, whatever happens to the process: kept as stretches of frames, not as pages.
 *
 * <p>Used by one thread at a time.
 */
public final class PinnedPages implements AutoCloseable {
  private final FramePool pool;
  private final PinBudget budget;
  private final long skipped;
  private final long length;
  private final long budgeted;
  private int[] firstFrame = new int[4];
  private int[] frames = new int[4];

  /** Bytes of each stretch, and of the pages before its first byte. */
  private long[] bytes = new long[4];

  private long[] inFrame = new long[4];
  private int count;
  private boolean closed;

  PinnedPages(FramePool pool, PinBudget budget, long skipped, long length, long budgeted) {
    this.pool = pool;
    this.budget = budget;
    this.skipped = skipped;
    this.length = length;
    this.budgeted = budgeted;
  }

  /** Pin a frame, of which bytes from {@code offset} on are wanted. */
  void add(int frame, long offset, long wanted) {
    pool.pin(frame);
    int size = Math.max(1, (int) ((offset + wanted) >>> pool.frameShift()));
    int last = count - 1;
    if (count > 0
        && pool.chunk(frame) == pool.chunk(firstFrame[last])
        && offset == 0
        && inFrame[last] + bytes[last] == (long) frames[last] << pool.frameShift()
        && pool.phys(frame) == pool.phys(firstFrame[last]) + inFrame[last] + bytes[last]
        && frame == firstFrame[last] + frames[last]) {
      frames[last] += size;
      bytes[last] += wanted;
      return;
    }
    if (count == frames.length) {
      firstFrame = Arrays.copyOf(firstFrame, count * 2);
      frames = Arrays.copyOf(frames, count * 2);
      bytes = Arrays.copyOf(bytes, count * 2);
      inFrame = Arrays.copyOf(inFrame, count * 2);
    }
    firstFrame[count] = frame;
    frames[count] = size;
    bytes[count] = wanted;
    inFrame[count++] = offset;
  }

  /** Return the bytes that were asked for. */
  public long length() {
    return length;
  }

  /** Return how many stretches of memory they are. */
  public int extents() {
    return count;
  }

  /** Return the heap bytes kept for the stretches. */
  public long metadataLength() {
    return (long) (firstFrame.length + frames.length) * Integer.BYTES + (long) (bytes.length + inFrame.length) * Long.BYTES;
  }

  /** Return a new cursor over the stretches, exactly the bytes that were asked for. */
  public PhysRanges ranges() {
    return new Cursor();
  }

  /** Let the pages go. May be repeated. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    for (int i = 0; i < count; i++) {
      pool.unpin(firstFrame[i], frames[i]);
    }
    budget.release(budgeted);
  }

  private final class Cursor implements PhysRanges {
    private int next;
    private long left = length;

    @Override
    public void rewind() {
      next = 0;
      left = length;
    }

    @Override
    public int fill(long[] phys, long[] lengths) {
      int filled = 0;
      while (filled < phys.length && next < count && left > 0) {
        long skip = next == 0 ? skipped : 0;
        phys[filled] = pool.phys(firstFrame[next]) + inFrame[next] + skip;
        lengths[filled] = Math.min(left, bytes[next] - skip);
        left -= lengths[filled++];
        next++;
      }
      return filled;
    }
  }
}
