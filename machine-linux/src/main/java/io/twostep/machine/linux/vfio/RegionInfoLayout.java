package io.twostep.machine.linux.vfio;

/**
 * {@code struct vfio_region_info}, capabilities behind it.
 *
 * <pre>
 * | 0 argsz u32 | 4 flags u32 | 8 index u32 | 12 first capability u32 | 16 size u64 | 24 offset u64 |
 * sparse mmap:  | 0 header, 8 bytes | 8 areas u32 | 12 pad | 16 { offset u64, size u64 } ... |
 * </pre>
 */
final class RegionInfoLayout {
  static final long FLAGS = 4;
  static final long INDEX = 8;
  static final long FIRST_CAPABILITY = 12;
  static final long LENGTH = 16;
  static final long OFFSET = 24;
  static final long SIZE = 32;

  static final int READABLE = 1;
  static final int WRITABLE = 2;
  static final int MAPPABLE = 4;
  static final int HAS_CAPABILITIES = 8;

  static final int CAPABILITY_SPARSE = 1;
  static final long SPARSE_AREAS = 8;
  static final long SPARSE_FIRST = 16;
  static final long SPARSE_AREA_SIZE = 16;

  /** Index of the configuration space; BARs are 0 to 5. */
  static final int CONFIG = 7;

  private RegionInfoLayout() {}
}
