package io.twostep.dma.spi;

import org.jspecify.annotations.Nullable;

/**
 * What the stack remembers of one mapping or reservation; owned by its handle and reused by it.
 *
 * <p>The terminal writes the address fields in map and reserve; a layer that answers such a call itself writes them in its place. A layer adds bits to
 * {@link #flags} after the call below has returned, and clears none. Each layer has one {@code long} and one object of its own, found by the
 * layer index it was given at attach; the terminal has {@link #terminal}. Not thread-safe: a handle is used by one thread at a time.
 * Objects stay with the handle across mappings, so that a warm handle allocates nothing, until {@link DmaOps#forget}. The handle may be mapped anew before a batch completes: what a
 * release needs is given to {@link Retirement#retire}, never looked up here.
 */
public final class MappingState {
  /** The address the device uses for the first byte; includes the offset within the granule. */
  public long dmaAddress;

  /** Bytes mapped or reserved, as asked for. */
  public long length;

  /** Bytes the terminal allocated, in whole granules: what is freed, whatever was linked. 0 when nothing is held. */
  public long allocated;

  /** {@link MapFlags}. */
  public int flags;

  /** Largest leaf that may back this mapping, bytes, a power of two; all ones for no limit. Set before reserve. */
  public long maxLeaf = -1L;

  /** The terminal's own memory for this mapping, such as a remembered leaf table. */
  public @Nullable Object terminal;

  private final long[] words;
  private final @Nullable Object[] objects;

  /** Create a state for a stack of {@code layers} layers, the terminal not counted. */
  public MappingState(int layers) {
    words = new long[layers];
    objects = new Object[layers];
  }

  /** Return how many layers it serves. */
  public int layers() {
    return words.length;
  }

  /** Return the long of the layer with this index. */
  public long word(int layer) {
    return words[layer];
  }

  /** Set the long of the layer with this index. */
  public void word(int layer, long value) {
    words[layer] = value;
  }

  /** Return the object of the layer with this index. */
  public @Nullable Object object(int layer) {
    return objects[layer];
  }

  /** Set the object of the layer with this index. */
  public void object(int layer, @Nullable Object value) {
    objects[layer] = value;
  }

  /** Forget addresses, flags and layer words, and keep the objects, ready for the next mapping. */
  public void reset() {
    dmaAddress = 0;
    length = 0;
    allocated = 0;
    flags = 0;
    maxLeaf = -1L;
    for (int i = 0; i < words.length; i++) {
      words[i] = 0;
    }
  }

  /**
   * Move what a layer and those below it know of the mapping to a new state, so that it can be taken down when the handle has gone on; this one is left as if nothing were mapped.
   *
   * @param layer its index; {@link #layers} to move only what is the terminal's
   */
  public MappingState moveFrom(int layer) {
    MappingState moved = new MappingState(words.length);
    moved.dmaAddress = dmaAddress;
    moved.length = length;
    moved.allocated = allocated;
    moved.flags = flags;
    moved.maxLeaf = maxLeaf;
    moved.terminal = terminal;
    dmaAddress = 0;
    length = 0;
    allocated = 0;
    flags = 0;
    terminal = null;
    for (int i = layer; i < words.length; i++) {
      moved.words[i] = words[i];
      moved.objects[i] = objects[i];
      words[i] = 0;
      objects[i] = null;
    }
    return moved;
  }

  /** Tell whether all bits of {@code mask} are set in {@link #flags}. */
  public boolean has(int mask) {
    return (flags & mask) == mask;
  }
}
