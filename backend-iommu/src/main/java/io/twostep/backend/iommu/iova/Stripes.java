package io.twostep.backend.iommu.iova;

/**
 * Spread threads over the parts of a striped structure by their identity, which is a running number: threads that were
 * started together go to different parts. Every part is its own lock.
 *
 * <p>A part that is busy is passed over: which part serves a call must never matter for its result.
 */
final class Stripes {
  private static final int ROUNDS = 8;
  private static final int MOST = 1 << 16;

  private Stripes() {}

  /** Compute how many parts serve a number of threads without waiting. */
  static int count(String name, int threads) {
    if (threads < 1 || threads > MOST) {
      throw new IllegalArgumentException(name + ": stripes must be from 1 to " + MOST + ", not " + threads);
    }
    return 1 << RangeSize.order(threads);
  }

  /** Lock one of the parts, a power of two of them, for the calling thread, which unlocks it. */
  static <T extends SpinLock> T lock(T[] parts) {
    int home = (int) Thread.currentThread().threadId() & (parts.length - 1);
    T part = parts[home];
    return part.tryLock() ? part : lockAnother(parts, home);
  }

  private static <T extends SpinLock> T lockAnother(T[] parts, int home) {
    for (int offset = 1; offset < ROUNDS * parts.length; offset++) {
      T part = parts[(home + offset) & (parts.length - 1)];
      if (part.tryLock()) {
        return part;
      }
      Thread.onSpinWait();
    }
    parts[home].lock();
    return parts[home];
  }
}
