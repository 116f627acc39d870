package io.twostep.dma;

import io.twostep.dma.spi.MemoryKind;
import io.twostep.dma.spi.MemoryRegion;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The pieces that a published range of peer memory falls into, allocated or free, each a region that counts the mappings which hold any byte of it.
 *
 * <p>Mappings also hold what is free, since published memory may be mapped without being allocated: a free piece is cut, so that what lies beside the mapped range can still be given out. What is held never changes its
 * bounds: it is neither given out, nor given back, nor cut, nor joined with its neighbours. So a range finds at unmapping the pieces that it held. The smallest free piece that fits is taken. Belongs to its
 * {@link io.twostep.dma.spi.PeerRange}; thread-safe, and warm {@link #pin} of what is allocated allocates nothing.
 */
public final class PeerPieces {
  /** No free piece fits. */
  static final long NONE = -1L;

  private final String name;
  private final long phys;
  private @Nullable MemoryRegion[] pieces = new MemoryRegion[4];
  private boolean[] taken = new boolean[4];
  private int count = 1;
  private int takenCount;
  private long freeBytes;

  /**
   * Begin with one free piece.
   *
   * @param name of the range, for messages
   * @param phys physical address of the first byte
   * @param length bytes, positive
   */
  public PeerPieces(String name, long phys, long length) {
    this.name = "a piece of " + name;
    this.phys = phys;
    freeBytes = length;
    pieces[0] = region(phys, length);
  }

  private MemoryRegion region(long first, long length) {
    return new MemoryRegion(MemoryKind.PEER, name, first, length);
  }

  private MemoryRegion piece(int index) {
    return Objects.requireNonNull(pieces[index]);
  }

  /**
   * Hold the piece that an address lies in and return it; what it holds of the {@code length} bytes from there may be less, and is more only if it is allocated or held already.
   *
   * @param at physical address within the range
   * @param length bytes that are to be held from there on, positive
   */
  synchronized MemoryRegion pin(long at, long length) {
    MemoryRegion piece = piece(cut(indexOf(at), at, length));
    if (!piece.tryPin()) {
      throw new IllegalStateException(piece + " is closed");
    }
    return piece;
  }

  /** Cut a piece that nobody has down to what a range needs of it; returns the index of the piece that begins or lies at {@code at}. */
  private int cut(int index, long at, long length) {
    if (!isIdle(index)) {
      return index;
    }
    int cut = index;
    if (count + 2 > pieces.length && join()) {
      cut = indexOf(at);
    }
    if (at != piece(cut).first()) {
      split(cut, at - piece(cut).first());
      cut++;
    }
    if (length < piece(cut).length()) {
      split(cut, length);
    }
    return cut;
  }

  /** Return the piece that an address of the range lies in. */
  synchronized MemoryRegion at(long at) {
    return piece(indexOf(at));
  }

  private int indexOf(long at) {
    long offset = at - phys;
    int low = 0;
    int high = count - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (piece(middle).first() - phys <= offset) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  /** Take a piece whose physical address lies on the alignment, a power of two; returns its offset in the range or {@link #NONE}. */
  synchronized long allocate(long length, long alignment) {
    int best = bestFit(length, alignment);
    if (best < 0 && join()) {
      best = bestFit(length, alignment);
    }
    if (best < 0) {
      return NONE;
    }
    long skipped = skipped(best, alignment);
    if (skipped != 0) {
      split(best++, skipped);
    }
    if (length != piece(best).length()) {
      split(best, length);
    }
    taken[best] = true;
    takenCount++;
    freeBytes -= length;
    return piece(best).first() - phys;
  }

  private int bestFit(long length, long alignment) {
    int best = -1;
    for (int i = 0; i < count; i++) {
      long bytes = piece(i).length();
      if (isIdle(i) && skipped(i, alignment) <= bytes - length && (best < 0 || bytes < piece(best).length())) {
        best = i;
      }
    }
    return best;
  }

  /** Tell whether a piece is free and no mapping holds it. */
  private boolean isIdle(int index) {
    return !taken[index] && piece(index).pins() == 0;
  }

  private long skipped(int index, long alignment) {
    return -piece(index).first() & (alignment - 1);
  }

  private void split(int index, long length) {
    if (count == pieces.length) {
      pieces = Arrays.copyOf(pieces, count * 2);
      taken = Arrays.copyOf(taken, count * 2);
    }
    MemoryRegion whole = piece(index);
    System.arraycopy(pieces, index, pieces, index + 1, count - index);
    System.arraycopy(taken, index, taken, index + 1, count - index);
    pieces[index] = region(whole.first(), length);
    pieces[index + 1] = region(whole.first() + length, whole.length() - length);
    count++;
  }

  /**
   * Take an allocated piece back.
   *
   * @throws IllegalStateException while a mapping holds it, or if none is allocated there
   */
  synchronized void release(long offset) {
    int index = indexOf(phys + offset);
    MemoryRegion piece = piece(index);
    if (!taken[index] || piece.first() != phys + offset) {
      throw new IllegalStateException("nothing is allocated at offset " + Hex.of(offset));
    }
    if (piece.pins() != 0) {
      throw new IllegalStateException(
          "%s, 0x%x+0x%x: %d mappings still hold it; unmap them first, or revoke the memory and wait".formatted(name, offset, piece.length(), piece.pins()));
    }
    taken[index] = false;
    takenCount--;
    freeBytes += piece.length();
    join();
  }

  /** Join free neighbours that no mapping holds; tells whether there were any. */
  private boolean join() {
    int kept = 0;
    for (int i = 1; i < count; i++) {
      if (isIdle(kept) && isIdle(i)) {
        pieces[kept] = region(piece(kept).first(), piece(kept).length() + piece(i).length());
      } else {
        kept++;
        pieces[kept] = pieces[i];
        taken[kept] = taken[i];
      }
    }
    boolean joined = kept + 1 != count;
    Arrays.fill(pieces, kept + 1, count, null);
    count = kept + 1;
    return joined;
  }

  /** Return the bytes that are not allocated. */
  synchronized long freeBytes() {
    return freeBytes;
  }

  /** Return the bytes of the largest piece that can be allocated. */
  synchronized long largestFree() {
    join();
    long largest = 0;
    for (int i = 0; i < count; i++) {
      largest = Math.max(largest, isIdle(i) ? piece(i).length() : 0);
    }
    return largest;
  }

  /** Return how many pieces are allocated. */
  synchronized int allocated() {
    return takenCount;
  }
}
