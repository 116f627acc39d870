package io.twostep.backend.iommu.table;

/** Receives what devices have written. */
@FunctionalInterface
public interface DirtyVisitor {
  /**
   * Takes one dirty leaf, whole even where it reaches beyond the range asked for: its bit is one for all of it, and once
   * cleaned would be lost for the rest.
   *
   * @param iova the leaf's first I/O address
   * @param length the leaf's span in bytes
   */
  void dirty(long iova, long length);
}
