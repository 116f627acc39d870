package io.twostep.backend.swiotlb.pool;

/**
 * What the buffers of one device must keep to: which granules they own whole, which low bits of an address they keep, which boundaries they never cross.
 *
 * <p>A buffer for an address {@code low} begins {@link #lead} bytes into its allocation. The allocation begins on the alignment and ends on it, so that it shares no aligned piece with
 * another; the kept bits above the alignment are met by the choice of slots. Immutable.
 */
public final class SlotRules {
  /** Bytes of a slot. */
  public static final long SLOT = 2048;

  static final int SLOT_SHIFT = 11;

  private final long alignMask;
  private final long keptMask;
  private final long boundaryMask;
  private final int stride;
  private final long places;

  /**
   * Make rules.
   *
   * @param alignMask {@code 2^n - 1}: an allocation owns whole pieces of this many bytes plus one; below a slot, whole slots
   * @param keptMask {@code 2^n - 1}: these low bits of the buffer's address are those of the address it stands for
   * @param boundaryMask {@code 2^n - 1}: a buffer crosses no multiple of this plus one where it can be avoided; all ones for none
   */
  public SlotRules(long alignMask, long keptMask, long boundaryMask) {
    requireMask("alignMask", alignMask);
    requireMask("keptMask", keptMask);
    requireMask("boundaryMask", boundaryMask);
    this.alignMask = alignMask | (SLOT - 1);
    this.keptMask = keptMask;
    this.boundaryMask = boundaryMask;
    long period = (Math.max(this.alignMask, keptMask) + 1) >>> SLOT_SHIFT;
    if (period <= 0 || period > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("masks 0x%x and 0x%x ask for more than memory has".formatted(alignMask, keptMask));
    }
    stride = (int) period;
    places = stride < Long.SIZE ? Long.divideUnsigned(-1L, -1L >>> (Long.SIZE - stride)) : 1;
  }

  private static void requireMask(String name, long mask) {
    if ((mask & (mask + 1)) != 0) {
      throw new IllegalArgumentException(name + " 0x" + Long.toHexString(mask) + " must be of the form 2^n - 1");
    }
  }

  /** Return the least area, bytes, a power of two, in which every address finds a place. */
  public long leastArea() {
    return (long) stride << SLOT_SHIFT;
  }

  /** Return the most bytes for which every address finds a place in an empty area of {@code areaBytes}. */
  public long mostBytes(long areaBytes) {
    return areaBytes - (keptMask + SLOT - 1 & -SLOT);
  }

  /** Return the most bytes for which every address is within {@code quota} bytes of slots; 0 or less if there are none. */
  public long mostBytesOf(long quota) {
    return (quota & ~alignMask) - (keptMask & alignMask);
  }

  /** Return the bytes from the start of the allocation to its buffer. */
  public long lead(long low) {
    return low & keptMask & alignMask;
  }

  /** Return the start of the allocation whose buffer begins at {@code at}. */
  public long start(long at) {
    return at & ~alignMask;
  }

  /** Return the bytes that an allocation for a buffer occupies; the length must be at most an area's. */
  public long bytes(long length, long low) {
    return lead(low) + length + alignMask & ~alignMask;
  }

  /** Return the slots from one possible start to the next. */
  int stride() {
    return stride;
  }

  /** Return the possible starts in a set, as bits, of an address without kept bits. */
  long places() {
    return places;
  }

  /** Return the first possible start, in slots from an aligned place. */
  int residue(long low) {
    return (int) ((low & keptMask & ~alignMask) >>> SLOT_SHIFT);
  }

  /** Tell whether a buffer can lie between two boundaries; one that cannot may cross them. */
  boolean isBounded(long length, long low, long areaBytes) {
    return Long.compareUnsigned(boundaryMask, areaBytes - 1) < 0 && (low & keptMask & boundaryMask) + length <= boundaryMask + 1;
  }

  /** Tell whether a buffer that begins {@code at} bytes into an area crosses a boundary. */
  boolean crosses(long at, long length) {
    return (at & boundaryMask) + (length - 1) > boundaryMask;
  }
}
