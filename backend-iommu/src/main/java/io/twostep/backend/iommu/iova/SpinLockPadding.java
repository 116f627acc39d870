package io.twostep.backend.iommu.iova;

/** Fill the pair of cache lines before the word of a {@link SpinLock}. */
@SuppressWarnings("unused")
abstract class SpinLockPadding {
  /** For what the object's header may leave of a word: a field of a subclass would be put there, before the padding. */
  private int gap;

  private long a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14;
}
