package io.twostep.device.rdma;

import io.twostep.dma.DmaDirection;

/** Say what a memory region may be used for; bits and their values as in the verbs interface. */
public final class AccessFlags {
  /** The local adapter may write, as a receive or a READ's answer needs. */
  public static final int LOCAL_WRITE = 1;

  /** Peers may WRITE. */
  public static final int REMOTE_WRITE = 1 << 1;

  /** Peers may READ. */
  public static final int REMOTE_READ = 1 << 2;

  /** Peers may send atomics. */
  public static final int REMOTE_ATOMIC = 1 << 3;

  /** Memory windows may be bound to the region. */
  public static final int WINDOW_BIND = 1 << 4;

  /** Addresses in work requests count from the region's start. */
  public static final int ZERO_BASED = 1 << 5;

  /** Pages are linked when the device asks for them. */
  public static final int ON_DEMAND = 1 << 6;

  /** The region consists of huge pages, which the device translates as such. */
  public static final int HUGE_PAGES = 1 << 7;

  /** Peers may ask for what they wrote to be visible to everybody. */
  public static final int FLUSH_GLOBAL = 1 << 8;

  /** Peers may ask for what they wrote to be persistent. */
  public static final int FLUSH_PERSISTENT = 1 << 9;

  /** Peers may invalidate the key; a right of its own here, which the verbs interface gives to keys by their kind. */
  public static final int REMOTE_INVALIDATE = 1 << 19;

  /** Writes may be reordered; a hint. */
  public static final int RELAXED_ORDERING = 1 << 20;

  /** The range of bits that are hints: those not known are ignored. */
  public static final int OPTIONAL = 0x3ff << 20;

  private static final int REQUIRED = ((1 << 10) - 1) | REMOTE_INVALIDATE;
  private static final int REMOTE_CHANGE = REMOTE_WRITE | REMOTE_ATOMIC;

  private AccessFlags() {}

  /**
   * Return {@code access} without the hints that are not known.
   *
   * @throws IllegalArgumentException for an unknown bit that is no hint, or a right of peers to change memory that the local adapter may not write
   */
  public static int check(int access) {
    int unknown = access & ~(REQUIRED | OPTIONAL);
    if (unknown != 0) {
      throw new IllegalArgumentException("unknown access bits 0x" + Integer.toHexString(unknown) + "; see AccessFlags");
    }
    if ((access & REMOTE_CHANGE) != 0 && (access & LOCAL_WRITE) == 0) {
      throw new IllegalArgumentException(
          "access 0x" + Integer.toHexString(access) + " lets peers change what the local adapter may not write; add LOCAL_WRITE");
    }
    return access & (REQUIRED | RELAXED_ORDERING);
  }

  /** Tell whether the device writes memory in the course of any use that {@code access} allows. */
  public static boolean writes(int access) {
    return (access & (LOCAL_WRITE | REMOTE_CHANGE)) != 0;
  }

  /** Return the widest permission that the device needs. */
  public static DmaDirection direction(int access) {
    return writes(access) ? DmaDirection.BIDIRECTIONAL : DmaDirection.TO_DEVICE;
  }
}
