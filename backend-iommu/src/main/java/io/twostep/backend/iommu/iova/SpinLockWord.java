package io.twostep.backend.iommu.iova;

/** Place the word of a {@link SpinLock} behind padding: fields of a superclass come first. */
abstract class SpinLockWord extends SpinLockPadding {
  volatile int locked;
}
