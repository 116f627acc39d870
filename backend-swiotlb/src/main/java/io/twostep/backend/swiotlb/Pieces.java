package io.twostep.backend.swiotlb;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The bounced pieces of one mapping or window, in order of offset: where in the mapping, what they stand for, where their slots are.
 *
 * <p>Owned by a handle's state and reused; allocates nothing once it has grown. Not thread-safe.
 */
final class Pieces {
  /** The source is the number of a staged segment, not a physical address. Beside the flags of the mapping. */
  static final int STAGED = 1 << 30;

  /** All of the piece was handed to the device once, so that publishing again must not copy over what the device wrote. */
  static final int HANDED = 1 << 29;

  /** The piece lies in slots that were taken for several pieces, and are given back with the first. */
  static final int FURTHER = 1 << 31;

  private long[] offsets = new long[2];
  private long[] lengths = new long[2];
  private long[] sources = new long[2];
  private long[] positions = new long[2];
  private int[] flags = new int[2];

  /** What was handed over of pieces of which the device has a part only; null for others. */
  private @Nullable HandedParts[] parts = new HandedParts[2];

  private int count;

  void clear() {
    count = 0;
  }

  int count() {
    return count;
  }

  /** Adds a piece that overlaps no other. */
  void add(long offset, long length, long source, long position, int pieceFlags) {
    if (count == offsets.length) {
      grow();
    }
    int at = firstAt(offset);
    int behind = count - at;
    if (behind != 0) {
      System.arraycopy(offsets, at, offsets, at + 1, behind);
      System.arraycopy(lengths, at, lengths, at + 1, behind);
      System.arraycopy(sources, at, sources, at + 1, behind);
      System.arraycopy(positions, at, positions, at + 1, behind);
      System.arraycopy(flags, at, flags, at + 1, behind);
      System.arraycopy(parts, at, parts, at + 1, behind);
    }
    offsets[at] = offset;
    lengths[at] = length;
    sources[at] = source;
    positions[at] = position;
    flags[at] = pieceFlags;
    parts[at] = null;
    count++;
  }

  private void grow() {
    int capacity = count * 2;
    offsets = Arrays.copyOf(offsets, capacity);
    lengths = Arrays.copyOf(lengths, capacity);
    sources = Arrays.copyOf(sources, capacity);
    positions = Arrays.copyOf(positions, capacity);
    flags = Arrays.copyOf(flags, capacity);
    parts = Arrays.copyOf(parts, capacity);
  }

  /** Removes the pieces from index {@code from} to {@code to}, exclusive. */
  void remove(int from, int to) {
    int behind = count - to;
    System.arraycopy(offsets, to, offsets, from, behind);
    System.arraycopy(lengths, to, lengths, from, behind);
    System.arraycopy(sources, to, sources, from, behind);
    System.arraycopy(positions, to, positions, from, behind);
    System.arraycopy(flags, to, flags, from, behind);
    System.arraycopy(parts, to, parts, from, behind);
    count -= to - from;
  }

  /** Returns the index of the first piece that ends behind {@code offset}. */
  int firstAt(long offset) {
    int low = 0;
    int high = count;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (offsets[middle] + lengths[middle] > offset) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  long offset(int index) {
    return offsets[index];
  }

  long length(int index) {
    return lengths[index];
  }

  long source(int index) {
    return sources[index];
  }

  long position(int index) {
    return positions[index];
  }

  int flags(int index) {
    return flags[index];
  }

  boolean has(int index, int mask) {
    return (flags[index] & mask) != 0;
  }

  /** Returns what was handed over of a piece of which the device has a part; null if it has all or nothing. */
  @Nullable HandedParts parts(int index) {
    return parts[index];
  }

  /** Notes that bytes {@code from .. to} of a piece were handed over. */
  void handed(int index, long from, long to) {
    if (from == 0 && to == lengths[index]) {
      handedWhole(index);
    } else if (!has(index, HANDED)) {
      HandedParts known = parts[index];
      HandedParts now = known == null ? new HandedParts() : known;
      parts[index] = now;
      now.add(from, to);
      if (now.isWhole(lengths[index])) {
        handedWhole(index);
      }
    }
  }

  private void handedWhole(int index) {
    flags[index] |= HANDED;
    parts[index] = null;
  }
}
