package io.twostep.machine.linux.kernel;

/** What {@link Kernel#poll} waits for and tells. */
public final class PollEvents {
  /** There is something to read. */
  public static final short READABLE = 0x1;

  /** There is room to write. */
  public static final short WRITABLE = 0x4;

  /** An error; told whether waited for or not. */
  public static final short ERROR = 0x8;

  /** The other end is closed; told whether waited for or not. */
  public static final short HANG_UP = 0x10;

  /** Not an open descriptor; told whether waited for or not. */
  public static final short INVALID = 0x20;

  private PollEvents() {}
}
