package io.twostep.dma;

import java.lang.foreign.MemorySegment;

/**
 * A piece of a device's published memory, allocated from {@link PeerMemory}; contiguous, and used by its {@link #phys} like any memory.
 *
 * <p>Its bytes are whatever lay there before. Thread-safe, but for {@link #close}, which is the owner's.
 */
public final class PeerBlock implements AutoCloseable {
  private final PeerMemory memory;
  private final long offset;
  private final long length;
  private boolean closed;

  PeerBlock(PeerMemory memory, long offset, long length) {
    this.memory = memory;
    this.offset = offset;
    this.length = length;
  }

  /** Return whose memory it is a piece of. */
  public PeerMemory memory() {
    return memory;
  }

  /** Return the physical address of the first byte: what is mapped. */
  public long phys() {
    return memory.phys() + offset;
  }

  /** Return the first byte's offset in the {@link PeerMemory}. */
  public long offset() {
    return offset;
  }

  /** Return the bytes. */
  public long length() {
    return length;
  }

  /**
   * Return the CPU's view: uncached device memory, slow to read.
   *
   * @throws IllegalArgumentException if the CPU cannot reach it
   */
  public MemorySegment segment() {
    return memory.segment(offset, length);
  }

  /**
   * Give the piece back: the next owner may get its bytes at once. May be repeated.
   *
   * @throws IllegalStateException while a mapping, a batch or the quarantine holds any byte of it; it stays allocated then
   */
  @Override
  public void close() {
    if (!closed) {
      memory.release(this);
      closed = true;
    }
  }

  @Override
  public String toString() {
    return memory + " at " + Hex.range(offset, length);
  }
}
