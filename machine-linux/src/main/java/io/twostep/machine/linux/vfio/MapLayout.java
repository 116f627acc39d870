package io.twostep.machine.linux.vfio;

/**
 * {@code struct vfio_iommu_type1_dma_map} and {@code struct vfio_iommu_type1_dma_unmap}.
 *
 * <pre>
 * map    | 0 argsz u32 | 4 flags u32 | 8 process address u64 | 16 I/O address u64 | 24 size u64 |
 * unmap  | 0 argsz u32 | 4 flags u32 | 8 I/O address u64 | 16 size u64, on return what was unmapped |
 * </pre>
 */
final class MapLayout {
  static final long FLAGS = 4;
  static final long MAP_PHYS = 8;
  static final long MAP_IOVA = 16;
  static final long MAP_LENGTH = 24;
  static final long MAP_SIZE = 32;

  static final long UNMAP_IOVA = 8;
  static final long UNMAP_LENGTH = 16;
  static final long UNMAP_SIZE = 24;

  /** The device may read. */
  static final int READ = 1;

  /** The device may write. */
  static final int WRITE = 2;

  private MapLayout() {}
}
