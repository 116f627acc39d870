package io.twostep.device.rdma.mirror;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.BitSet;

/**
 * The frames that processes share: small ones and huge ones, each with a count of those who map it and of those who pinned it.
 *
 * <p>Memory is taken from the machine in chunks and given back at close. Thread-safe.
 */
public final class FramePool implements AutoCloseable {
  /** Small frames of a huge one. */
  static final int HUGE_FRAMES = 512;

  /** No frame. */
  static final int NONE = -1;

  private static final int CHUNK_SHIFT = 13;
  private static final int CHUNK_FRAMES = 1 << CHUNK_SHIFT;

  private final PhysicalMemory memory;
  private final MemoryPlacement placement;
  private final int mostChunks;
  private final int frameShift;
  private final int zeroFrame;
  private volatile Chunk[] chunks = new Chunk[0];
  private int[] shares = new int[0];
  private int[] pins = new int[0];
  private final FreeFrames small = new FreeFrames();
  private final FreeFrames huge = new FreeFrames();

  /** Frames that a device was not proved away from: their holders let go of them now or later, and nobody is given them then. */
  private final BitSet unproved = new BitSet();

  private long inUse;
  private long quarantined;

  private record Chunk(MemoryBlock block, MemorySegment segment, boolean huge) {}

  /**
   * Create a pool, which takes memory as it needs it.
   *
   * @param placement how the small frames of a chunk lie; huge frames are always contiguous
   * @param capacity most bytes it takes, rounded up to chunks of 8192 frames
   * @throws DmaMappingException NOT_BACKED if the machine has not even memory for the first chunk
   */
  public FramePool(PhysicalMemory memory, MemoryPlacement placement, long capacity) {
    this.memory = memory;
    this.placement = placement;
    this.frameShift = Long.numberOfTrailingZeros(memory.frameSize());
    long chunkLength = memory.frameSize() << CHUNK_SHIFT;
    long most = capacity <= 0 ? 0 : (capacity - 1) / chunkLength + 1;
    if (most < 1 || most > 1 << (Pte.FRAME_BITS - CHUNK_SHIFT)) {
      throw new IllegalArgumentException("a pool of " + capacity + " bytes: from one chunk of " + chunkLength + " bytes to " + (1 << Pte.FRAME_BITS) + " frames");
    }
    mostChunks = (int) most;
    grow(false);
    zeroFrame = small.pop();
  }

  /** Return the bytes of a small page. */
  public long pageSize() {
    return 1L << frameShift;
  }

  /** Return the bytes of a huge page. */
  public long hugePageSize() {
    return (long) HUGE_FRAMES << frameShift;
  }

  /** Return how many small frames processes hold now; a huge one counts as the small ones it is made of. */
  public synchronized long framesInUse() {
    return inUse;
  }

  /** Return how many small frames are kept out of circulation because a device was not proved away from them. */
  public synchronized long quarantinedFrames() {
    return quarantined;
  }

  int frameShift() {
    return frameShift;
  }

  /** Return the frame that all pages share that were only read so far. */
  int zeroFrame() {
    return zeroFrame;
  }

  /** Return a frame with one share and whatever contents, or NONE. */
  synchronized int take(boolean wantHuge) {
    FreeFrames free = wantHuge ? huge : small;
    if (free.isEmpty() && !tryGrow(wantHuge)) {
      return NONE;
    }
    int frame = free.pop();
    shares[frame] = 1;
    inUse += wantHuge ? HUGE_FRAMES : 1;
    return frame;
  }

  private boolean tryGrow(boolean wantHuge) {
    if (chunks.length == mostChunks) {
      return false;
    }
    try {
      grow(wantHuge);
      return true;
    } catch (DmaMappingException e) {
      return false;
    }
  }

  private void grow(boolean wantHuge) {
    MemoryBlock block = memory.allocate((long) CHUNK_FRAMES << frameShift, wantHuge ? MemoryPlacement.CONTIGUOUS : placement);
    int number = chunks.length;
    Chunk[] more = Arrays.copyOf(chunks, number + 1);
    more[number] = new Chunk(block, block.segment(), wantHuge);
    shares = Arrays.copyOf(shares, more.length << CHUNK_SHIFT);
    pins = Arrays.copyOf(pins, more.length << CHUNK_SHIFT);
    int step = wantHuge ? HUGE_FRAMES : 1;
    FreeFrames free = wantHuge ? huge : small;
    for (int i = CHUNK_FRAMES - step; i >= 0; i -= step) {
      free.push((number << CHUNK_SHIFT) + i);
    }
    chunks = more;
  }

  synchronized void share(int frame) {
    if (frame != zeroFrame) {
      shares[frame]++;
    }
  }

  /** Tell whether nobody but one page maps the frame. */
  synchronized boolean isExclusive(int frame) {
    return frame != zeroFrame && shares[frame] == 1;
  }

  synchronized void pin(int frame) {
    pins[frame]++;
  }

  synchronized boolean isPinned(int frame) {
    return pins[frame] != 0;
  }

  /** Undo {@link #pin} for {@code count} frames from {@code frame} on. */
  synchronized void unpin(int frame, int count) {
    int step = chunkOf(frame).huge ? HUGE_FRAMES : 1;
    for (int f = frame; f < frame + count; f += step) {
      pins[f]--;
      freeIfUnused(f);
    }
  }

  /** Never reuse a frame once nobody holds it any more. */
  synchronized void quarantine(int frame) {
    if (frame != zeroFrame) {
      unproved.set(frame);
    }
  }

  /** Take one share off each frame. */
  synchronized void release(int[] frames, int count) {
    for (int i = 0; i < count; i++) {
      if (frames[i] != zeroFrame) {
        shares[frames[i]]--;
        freeIfUnused(frames[i]);
      }
    }
  }

  private void freeIfUnused(int frame) {
    if (shares[frame] != 0 || pins[frame] != 0) {
      return;
    }
    boolean isHuge = chunkOf(frame).huge;
    long frames = isHuge ? HUGE_FRAMES : 1;
    inUse -= frames;
    if (unproved.get(frame)) {
      quarantined += frames;
    } else {
      (isHuge ? huge : small).push(frame);
    }
  }

  /** Return what names the allocation of a frame: no run may cross it. */
  int chunk(int frame) {
    return frame >>> CHUNK_SHIFT;
  }

  long phys(int frame) {
    return chunkOf(frame).block.phys(offsetInChunk(frame));
  }

  /** Return the CPU's view of the chunk that holds the frame; see {@link #offsetInChunk}. */
  MemorySegment segment(int frame) {
    return chunkOf(frame).segment;
  }

  long offsetInChunk(int frame) {
    return (long) (frame & (CHUNK_FRAMES - 1)) << frameShift;
  }

  private Chunk chunkOf(int frame) {
    return chunks[frame >>> CHUNK_SHIFT];
  }

  void zero(int frame) {
    Chunk chunk = chunkOf(frame);
    chunk.segment.asSlice(offsetInChunk(frame), chunk.huge ? hugePageSize() : pageSize()).fill((byte) 0);
  }

  /** Copy a whole frame onto another of its size. */
  void copy(int from, int to, boolean huge) {
    MemorySegment.copy(segment(from), offsetInChunk(from), segment(to), offsetInChunk(to), huge ? hugePageSize() : pageSize());
  }

  /**
   * Give the memory back.
   *
   * @throws IllegalStateException if a process or a pin still holds frames, or a mapping holds memory; nothing that is held is given back
   */
  @Override
  public synchronized void close() {
    if (inUse != 0) {
      throw new IllegalStateException(inUse + " frames are still in use; close processes and pins first");
    }
    IllegalStateException failure = null;
    for (Chunk chunk : chunks) {
      try {
        chunk.block.close();
      } catch (IllegalStateException e) {
        failure = e;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
