package io.twostep.dma.spi;

/** What a mapper refuses before any layer sees the call; told to {@link DmaOps#refused}, so that a checker can add what happened earlier. */
public enum Misuse {
  /** The handle is mapped, or holds a window, and was asked to map or reserve again. */
  ALREADY_MAPPED,
  /** The handle holds nothing: it was never mapped, or was torn down. */
  NOT_MAPPED,
  /** The handle was closed for good. */
  CLOSED,
  /** Another thread is in a call on the same handle. */
  IN_USE,
  /** A length of 0 or less. */
  BAD_LENGTH,
  /** A range that runs over the end of the 64-bit address space. */
  WRAPS,
  /** Attribute bits that do not exist. */
  UNKNOWN_ATTRIBUTES,
  /** A part that lies outside the mapping, reservation or window. */
  OUTSIDE,
  /** An edge off the granule or the unit, or low bits of address and window that differ. */
  MISALIGNED,
  /** A part of a window that does not lie on its units. */
  NOT_UNITS,
  /** A permission wider than the window's. */
  WIDER_ACCESS,
  /** Peer memory that only a bus address reaches, linked into a window. */
  BUS_ADDRESS,
  /** A part of a window in which nothing is linked. */
  NOT_LINKED,
  /** A window given back with {@code free} while something is linked in it. */
  STILL_LINKED,
  /** An address that is not memory of this machine, or memory that was freed. */
  NOT_MEMORY,
  /** A piece given back to its pool that is not taken. */
  NOT_TAKEN,
  /** A source that gave other ranges when it was read again. */
  SOURCE_CHANGED
}
