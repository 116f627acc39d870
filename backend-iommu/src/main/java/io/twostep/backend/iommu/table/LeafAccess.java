package io.twostep.backend.iommu.table;

/** Names what a device may do with a leaf, as bits to be combined. */
public final class LeafAccess {
  /** The device may read: memory to device. */
  public static final int READ = 1;

  /** The device may write: device to memory. */
  public static final int WRITE = 2;

  /** What every leaf has at least one of. */
  static final int READ_OR_WRITE = READ | WRITE;

  /** Accesses snoop processor caches whatever the device asks for. */
  public static final int COHERENT = 4;

  private LeafAccess() {}
}
