package io.twostep.machine.linux.vfio;

/**
 * {@code struct vfio_iommu_type1_info}, capabilities behind it.
 *
 * <pre>
 *               | 0 argsz u32 | 4 flags u32 | 8 page sizes u64 | 16 first capability u32 | 20 pad |
 * windows       | 0 header, 8 bytes | 8 windows u32 | 12 pad | 16 { first u64, last u64, inclusive } ... |
 * mappings left | 0 header, 8 bytes | 8 mappings u32 |
 * </pre>
 */
final class IommuInfoLayout {
  static final long FLAGS = 4;
  static final long PAGE_SIZES = 8;
  static final long FIRST_CAPABILITY = 16;
  static final long SIZE = 24;

  static final int HAS_PAGE_SIZES = 1;
  static final int HAS_CAPABILITIES = 2;

  static final int CAPABILITY_WINDOWS = 1;
  static final long WINDOWS = 8;
  static final long FIRST_WINDOW = 16;
  static final long WINDOW_LAST = 8;
  static final long WINDOW_SIZE = 16;

  static final int CAPABILITY_MAPPINGS_LEFT = 3;
  static final long MAPPINGS_LEFT = 8;

  private IommuInfoLayout() {}
}
