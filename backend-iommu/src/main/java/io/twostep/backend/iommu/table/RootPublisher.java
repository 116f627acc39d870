package io.twostep.backend.iommu.table;

/** Tells hardware about a new root before any software walks from it. */
@FunctionalInterface
public interface RootPublisher {
  /** Refuses growth: for formats whose root never moves. */
  RootPublisher FIXED =
      (rootPhys, levels) -> {
        throw new IllegalStateException("the root of this page table cannot move");
      };

  /**
   * Makes hardware walk from {@code rootPhys} over {@code levels} levels. The old root stays valid as the new root's
   * first child, so nothing needs to be invalidated. Called under the table's growth lock; must not throw.
   */
  void publish(long rootPhys, int levels);
}
