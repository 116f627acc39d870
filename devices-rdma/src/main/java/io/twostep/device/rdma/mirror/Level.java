package io.twostep.device.rdma.mirror;

/** How a page has to be for an access. */
enum Level {
  /** In memory. */
  READ,
  /** In memory, nobody else's, writable and dirty. */
  WRITE,
  /** In memory and nobody else's, so that it can be held for long without going stale. */
  OWN;

  boolean isMetBy(long pte, FramePool pool) {
    return switch (this) {
      case READ -> Pte.has(pte, Pte.PRESENT);
      case WRITE -> Pte.has(pte, Pte.PRESENT | Pte.WRITE | Pte.DIRTY);
      case OWN -> Pte.has(pte, Pte.PRESENT) && pool.isExclusive(Pte.frame(pte));
    };
  }
}
