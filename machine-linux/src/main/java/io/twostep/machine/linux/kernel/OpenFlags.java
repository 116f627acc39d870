package io.twostep.machine.linux.kernel;

/** Flags of {@link Kernel#open}; the same on x86-64 and AArch64. */
public final class OpenFlags {
  /** Read only. */
  public static final int READ_ONLY = 0;

  /** Write only. */
  public static final int WRITE_ONLY = 1;

  /** Read and write. */
  public static final int READ_WRITE = 2;

  /** Of a block device: fail with EBUSY if anybody holds it, the kernel included. */
  public static final int EXCLUSIVE = 0x80;

  /** Never block. */
  public static final int NON_BLOCKING = 0x800;

  static final int CLOSE_ON_EXEC = 0x80000;

  private OpenFlags() {}
}
