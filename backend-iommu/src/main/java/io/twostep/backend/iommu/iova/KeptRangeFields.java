package io.twostep.backend.iommu.iova;

/** Place the fields of a {@link KeptRange} before its padding: fields of a superclass come first. */
abstract class KeptRangeFields {
  /** Where it stands among the {@link KeptRanges}. */
  final int place;

  /** The range: its first granule, and its size in the low bits; 0 where none is kept. */
  volatile long word;

  /** How often the range was taken; only its user counts. */
  long taken;

  /** Whether a range of the user's is on its way back: set by the user, and taken away by whoever brings the range. */
  boolean awaited;

  KeptRangeFields(int place) {
    this.place = place;
  }
}
