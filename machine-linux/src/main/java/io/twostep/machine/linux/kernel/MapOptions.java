package io.twostep.machine.linux.kernel;

/** Protection and flags of {@link Kernel#mmap}, and flags of {@link Kernel#memfd}; the same on x86-64 and AArch64. */
public final class MapOptions {
  /** Protection: read. */
  public static final int READ = 1;

  /** Protection: write. */
  public static final int WRITE = 2;

  /** Changes are seen by all who map the file. */
  public static final int SHARED = 0x1;

  /** Changes are this mapping's own. */
  public static final int PRIVATE = 0x2;

  /** No file: zeroed memory. */
  public static final int ANONYMOUS = 0x20;

  /** Have every page in place when the call returns. */
  public static final int POPULATE = 0x8000;

  /** Huge pages; with {@link #HUGE_2M} or {@link #HUGE_1G}. */
  public static final int HUGE = 0x40000;

  /** Huge pages of 2 MiB. */
  public static final int HUGE_2M = 21 << 26;

  /** Huge pages of 1 GiB. */
  public static final int HUGE_1G = 30 << 26;

  /** {@link Kernel#memfd}: huge pages; with {@link #HUGE_2M} or {@link #HUGE_1G}. */
  public static final int MEMFD_HUGE = 4;

  /** {@link Kernel#memfd}: {@link Kernel#sealSize} may be called. */
  public static final int MEMFD_SEALABLE = 2;

  static final int MEMFD_CLOSE_ON_EXEC = 1;

  private MapOptions() {}
}
