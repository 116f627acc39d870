package io.twostep.machine.model.memory;

import java.util.HexFormat;

/**
 * Where RAM lies in the physical address space.
 *
 * <pre>
 *   base ........ lowEnd      hole for 32-bit windows      4 GiB ........ top
 *   |  low RAM   |                                        |   high RAM   |
 * </pre>
 *
 * <p>RAM starts above zero, so that physical address 0 is never memory, and leaves the gigabyte below 4 GiB to bus windows. Page frame numbers are
 * absolute: {@code phys >>> 12}, so that natural alignment of frames is natural alignment of addresses.
 *
 * @param base first address of RAM
 * @param lowEnd end of low RAM, exclusive
 * @param top end of RAM, exclusive; equal to {@code lowEnd} when all RAM is low
 */
public record PhysicalLayout(long base, long lowEnd, long top) {
  /** The frame size as a shift. */
  public static final int FRAME_SHIFT = 12;

  /** The frame size, bytes. */
  public static final int FRAME_SIZE = 1 << FRAME_SHIFT;

  /** First address of high RAM. */
  public static final long FOUR_GIB = 1L << 32;

  static final int HIGH_PFN = 1 << (32 - FRAME_SHIFT);

  private static final long BASE = 1L << 20;
  private static final long LOW_LIMIT = 0xC000_0000L;
  private static final long SMALLEST = 1L << 20;
  private static final long LARGEST = 1L << 40;

  /**
   * Lay out {@code bytes} of RAM.
   *
   * @param bytes from 1 MiB to 1 TiB, whole frames
   */
  public static PhysicalLayout of(long bytes) {
    if (bytes < SMALLEST || bytes > LARGEST || (bytes & (FRAME_SIZE - 1)) != 0) {
      throw new IllegalArgumentException(
          "memory of 0x" + HexFormat.of().toHexDigits(bytes) + " bytes: it must be whole 4 KiB frames from 1 MiB to 1 TiB");
    }
    long low = Math.min(bytes, LOW_LIMIT - BASE);
    long high = bytes - low;
    return new PhysicalLayout(BASE, BASE + low, high == 0 ? BASE + low : FOUR_GIB + high);
  }

  /** Tell whether the byte at {@code phys} is RAM. */
  public boolean holds(long phys) {
    return Long.compareUnsigned(phys - base, lowEnd - base) < 0
        || (Long.compareUnsigned(phys - FOUR_GIB, top - FOUR_GIB) < 0 && top > FOUR_GIB);
  }

  /** Return the bytes from the first to the last address of RAM, the hole included. */
  public long span() {
    return top - base;
  }

  /** Return the frames of RAM. */
  public long frames() {
    return (lowEnd - base + (top > FOUR_GIB ? top - FOUR_GIB : 0)) >>> FRAME_SHIFT;
  }

  int basePfn() {
    return (int) (base >>> FRAME_SHIFT);
  }

  int lowEndPfn() {
    return (int) (lowEnd >>> FRAME_SHIFT);
  }

  int topPfn() {
    return (int) (top >>> FRAME_SHIFT);
  }
}
