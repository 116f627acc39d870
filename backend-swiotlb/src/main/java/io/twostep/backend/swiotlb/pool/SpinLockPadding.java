package io.twostep.backend.swiotlb.pool;

/** Fill the pair of cache lines before the word of a {@link SpinLock}. */
abstract class SpinLockPadding {
  @SuppressWarnings("unused")
  private long a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14;
}
