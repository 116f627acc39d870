package io.twostep.backend.iommu.table;

/** Receives the leaves of a range in ascending order. */
@FunctionalInterface
public interface LeafVisitor {
  /**
   * Takes one leaf, whole even where it reaches beyond the range asked for.
   *
   * @param iova the leaf's first I/O address
   * @param phys the physical address it translates to
   * @param length the leaf's span in bytes
   * @param access what the device may do, of {@link LeafAccess}
   */
  void leaf(long iova, long phys, long length, int access);
}
